"""Makes the int8 form of a model with ONNX Runtime's own quantiser (post-training, static).

Convolutions run in int8, their weights with a scale for each channel. The maps between them are
quantised where a convolution reads or writes them; what is not a convolution stays in float32, and
so does the head: the map and the logits are what people see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.numpy import load_file

from chestxray.engines import INPUT, Images

_HEAD = ("/network/cam/", "/network/Relu")
_STEM = ("/network/features/conv0/", "/network/features/relu0/")
_FIRST_LAYER = "/network/features/denseblock1/denselayer1/"
_FIRST_BLOCK = "/network/features/denseblock1/"
_TRANSITIONS = "/network/features/transition"


@dataclass(frozen=True)
class Calibration:
    """How the ranges of the maps are found on films."""

    name: str
    films: int
    method: CalibrationMethod = CalibrationMethod.MinMax
    percentile: float = 100.0


MIN_MAX = Calibration("extremes", films=128)
# Histograms of every map are made of all films at once: 32 of them take 3 GB.
PERCENTILE = Calibration(
    "percentile 99.999", films=32, method=CalibrationMethod.Percentile, percentile=99.999
)


@dataclass(frozen=True)
class Recipe:
    """What stays in float32 beside the head, by how the names of nodes begin, and the ranges."""

    name: str
    in_float: tuple[str, ...]
    calibration: Calibration


RECIPES = (
    Recipe("head", (), MIN_MAX),
    Recipe("head, stem", _STEM, MIN_MAX),
    Recipe("head, stem", _STEM, PERCENTILE),
    Recipe("head, stem, transitions", (*_STEM, _TRANSITIONS), PERCENTILE),
    Recipe("head, stem, first layer", (*_STEM, _FIRST_LAYER), PERCENTILE),
    Recipe("head, stem, first block", (*_STEM, _FIRST_BLOCK), PERCENTILE),
)
"""What is tried."""


def prepare(graph: Path, checkpoint: Path, folder: Path) -> Path:
    """Fills a graph, and writes it with the norms folded into the convolutions before them."""
    filled, prepared = folder / "filled.onnx", folder / "prepared.onnx"
    model = onnx.load(graph, load_external_data=False)
    weights = load_file(checkpoint)
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    onnx.save(model, filled)
    # ONNX's own inference of shapes is enough for convolutions, and the other needs SymPy.
    quant_pre_process(filled, prepared, skip_symbolic_shape=True)
    return prepared


def quantise(prepared: Path, recipe: Recipe, films: Images) -> ModelProto:
    """Returns the int8 graph; the ranges found on the films are kept beside the prepared one."""
    nodes = [node.name for node in onnx.load(prepared).graph.node]
    calibration, made = recipe.calibration, prepared.with_name("made.onnx")
    quantize_static(
        prepared,
        made,
        _Films(films[: calibration.films]),
        quant_format=QuantFormat.QDQ,
        # A ReLU that only clips what is quantised next costs nothing, and halves the range.
        op_types_to_quantize=["Conv", "Relu"],
        nodes_to_exclude=[n for n in nodes if n.startswith(_HEAD + recipe.in_float)],
        per_channel=True,
        activation_type=QuantType.QUInt8,  # with int8 weights: what VNNI multiplies
        weight_type=QuantType.QInt8,
        calibrate_method=calibration.method,
        extra_options={"CalibPercentile": calibration.percentile},
        calibration_cache_path=prepared.with_name(f"{calibration.name}.json"),
    )
    return onnx.load(made)


class _Films(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """One film at a time."""

    def __init__(self, films: Images) -> None:
        self._left: Iterator[Images] = iter(films[:, None])

    def get_next(self) -> dict[str, Images] | None:
        film = next(self._left, None)
        return None if film is None else {INPUT: film}


def extract_weights(model: ModelProto) -> dict[str, npt.NDArray[Any]]:
    """Moves the weights and scales out of the graph, which then wants them from outside."""
    weights = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
    for tensor in model.graph.initializer:
        bare = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        bare.data_location = TensorProto.EXTERNAL
        bare.external_data.add(key="location", value="weights_int8.safetensors")
        tensor.CopyFrom(bare)
    del model.graph.value_info[:], model.metadata_props[:]
    return weights


def sample_rows(rows: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """So many of the rows, the same every time."""
    return np.random.default_rng(0).permutation(rows)[:count]
