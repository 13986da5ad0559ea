"""Quantisation of a tiny network, the choice among recipes, and the report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.engines import OnnxEngine
from training import fidelity, quantisation, quantise, quantise_report
from training.engine_speed import Speed
from training.metrics import Rate
from training.quantisation import MIN_MAX, PERCENTILE, RECIPES, Recipe
from training.quantise_report import HeldOutResult, Result, Trial

SIDE, WIDTH = 12, 8
STEM = "/network/features/conv0/"
SHAPES = {"stem": (WIDTH, 1, 3, 3), "block": (WIDTH, WIDTH, 3, 3), "cam": (3, WIDTH, 1, 1)}
NORM = ("scale", "shift", "mean", "variance")


@pytest.fixture
def weights(generator: np.random.Generator) -> dict[str, np.ndarray]:
    found = {name: generator.normal(0, 0.3, shape) for name, shape in SHAPES.items()}
    found |= {name: generator.uniform(0.5, 1.5, WIDTH) for name in NORM}
    return {name: values.astype(np.float32) for name, values in found.items()}


def graph(weights: dict[str, np.ndarray]) -> ModelProto:
    """A graph of two convolutions with a norm, and a head whose spatial mean is the logits."""
    pads = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], "/network/scale/Cast", to=1),
        helper.make_node("Conv", ["pixels", "stem"], ["a"], f"{STEM}Conv", **pads),
        helper.make_node("Relu", ["a"], ["b"], "/network/features/relu0/Relu"),
        helper.make_node("Conv", ["b", "block"], ["c"], "/network/features/block/Conv", **pads),
        helper.make_node("BatchNormalization", ["c", *NORM], ["d"], "/network/features/norm"),
        helper.make_node("Relu", ["d"], ["e"], "/network/features/block/Relu"),
        helper.make_node("Conv", ["e", "cam"], ["cams"], "/network/cam/Conv", kernel_shape=[1, 1]),
        helper.make_node("ReduceMean", ["cams"], ["logits"], axes=[2, 3], keepdims=0),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 3]),
        helper.make_tensor_value_info("cams", TensorProto.FLOAT, ["B", 3, SIDE, SIDE]),
    ]
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    made = helper.make_graph(nodes, "tiny", [images], outputs, tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def images(generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, 256, (16, 1, SIDE, SIDE), np.uint8)


@pytest.fixture
def card(random_classifier: Path) -> Card:
    return checkpoints.read_card(random_classifier).model_copy(update={"architecture": "tiny"})


@pytest.fixture
def prepared(weights: dict[str, np.ndarray], card: Card, tmp_path: Path) -> Path:
    model = graph(weights)
    checkpoints.save_arrays(
        tmp_path / "tiny.safetensors", quantisation.extract_weights(model), card
    )
    (tmp_path / "tiny.onnx").write_bytes(model.SerializeToString())
    return quantisation.prepare(tmp_path / "tiny.onnx", tmp_path / "tiny.safetensors", tmp_path)


def engine_of(model: ModelProto, card: Card, folder: Path) -> OnnxEngine:
    folder.mkdir()
    checkpoints.save_arrays(folder / "w.safetensors", quantisation.extract_weights(model), card)
    (folder / "tiny.onnx").write_bytes(model.SerializeToString())
    return OnnxEngine(folder / "w.safetensors", "tiny", threads=1, graphs=folder)


def test_batch_norm_is_folded_into_the_preceding_convolution(prepared: Path) -> None:
    kinds = [node.op_type for node in onnx.load(prepared).graph.node]

    assert "BatchNormalization" not in kinds
    assert kinds.count("Conv") == 3


@pytest.mark.parametrize("calibration", [MIN_MAX, PERCENTILE])
def test_int8_outputs_are_close_to_float32(
    prepared: Path, card: Card, images: np.ndarray, tmp_path: Path, calibration: object
) -> None:
    recipe = replace(RECIPES[0], calibration=calibration)
    float32 = OnnxEngine(tmp_path / "tiny.safetensors", "tiny", threads=1, graphs=tmp_path)

    int8 = engine_of(quantisation.quantise(prepared, recipe, images), card, tmp_path / "int8")

    for name, expected in float32(images).items():
        error = np.abs(int8(images)[name] - expected)
        assert 0 < error.max() < 0.05 * np.abs(expected).max()


def test_quantised_logits_remain_the_mean_of_the_maps(
    prepared: Path, card: Card, images: np.ndarray, tmp_path: Path
) -> None:
    int8 = engine_of(quantisation.quantise(prepared, RECIPES[0], images), card, tmp_path / "int8")

    found = int8(images)

    assert np.allclose(found["cams"].mean(axis=(2, 3)), found["logits"], atol=1e-3)


@pytest.mark.parametrize(("in_float", "count"), [((), 2), ((STEM,), 1)])
def test_head_and_layers_named_by_the_recipe_stay_in_float32(
    prepared: Path, images: np.ndarray, in_float: tuple[str, ...], count: int
) -> None:
    model = quantisation.quantise(prepared, Recipe("x", in_float, MIN_MAX), images)

    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types["cam"] == TensorProto.FLOAT
    weights = [t for t in model.graph.initializer if t.data_type == TensorProto.INT8]
    assert sum(tensor.dims[:] == [WIDTH] or len(tensor.dims) == 4 for tensor in weights) >= count
    assert (types.get("stem") == TensorProto.FLOAT) is bool(in_float)


def test_quantised_weights_have_a_scale_per_channel(prepared: Path, images: np.ndarray) -> None:
    model = quantisation.quantise(prepared, RECIPES[0], images)

    scales = {t.name: t for t in model.graph.initializer if t.name.endswith("stem_scale")}
    assert [list(tensor.dims) for tensor in scales.values()] == [[WIDTH]]


def test_extracted_graph_contains_no_weights(weights: dict[str, np.ndarray]) -> None:
    model = graph(weights)

    taken = quantisation.extract_weights(model)

    assert taken.keys() == weights.keys()
    assert all(not tensor.raw_data for tensor in model.graph.initializer)
    assert all(t.data_location == TensorProto.EXTERNAL for t in model.graph.initializer)


def trial(*, moved: float, ratio: float = 2.0) -> Trial:
    def rate(value: float) -> Rate:
        return Rate(value, value, value, 9)

    found = fidelity.Fidelity(
        n=9,
        auc_before=[0.9] * 3,
        auc_after=[0.9] * 3,
        auc_fall=[rate(0.0)] * 3,
        moved=[rate(moved), rate(0.0), rate(0.0)],
        map_correlation=rate(0.99),
        map_correlation_p5=0.98,
        same_class=1.0,
    )
    return Trial(RECIPES[0], found, [Speed(1, 10.0, 10.0 * ratio, rate(ratio))])


def test_recipe_with_the_least_change_within_the_limits_is_chosen() -> None:
    trials = [trial(moved=0.04), trial(moved=0.01, ratio=1.4), trial(moved=0.02)]

    assert quantise.choose(trials) == 2
    assert quantise.choose([trial(moved=0.06), trial(moved=0.01, ratio=1.7)]) is None


@pytest.fixture
def result(card: Card) -> Result:
    found = trial(moved=0.01)
    tested = HeldOutResult({"test": found.fidelity, "external": found.fidelity}, {}, found.speed)
    return Result(card, "sha256:0", [trial(moved=0.09), found], 1, tested)


def test_result_without_an_acceptable_recipe_fails(result: Result) -> None:
    failed = replace(result, chosen=None, tested=None)
    slower = replace(result, tested=replace(result.tested, speed=trial(moved=0, ratio=1.7).speed))

    assert list(result.failed_criteria) == []
    assert list(failed.failed_criteria) == ["no recipe keeps within every limit"]
    assert ["1.70 times the images/s" in each for each in slower.failed_criteria] == [True]


def test_report_lists_tried_recipes_and_why_they_failed(result: Result, tmp_path: Path) -> None:
    quantise_report.write(result, tmp_path / "int8")

    text = (tmp_path / "int8" / "INT8.md").read_text()
    assert "a probability moves by 0.0900; 0.05 is allowed" in text
    assert "| external | covid19 |" in text
    assert '"method": "MinMax"' in (tmp_path / "int8" / "int8.json").read_text()
    assert CalibrationMethod.MinMax.name == "MinMax"


def test_int8_card_states_precision_and_origin(result: Result, tmp_path: Path) -> None:
    card = quantise_report.card_of(result)

    checkpoints.save_arrays(tmp_path / "w.safetensors", {"a": np.zeros(1, np.int8)}, card)
    assert (
        checkpoints.read_card(tmp_path / "w.safetensors").version == f"{result.card.version}-int8"
    )
    assert card.architecture == "tiny_int8"
    assert card.training["quantisation"]["float32_digest"] == "sha256:0"
    assert "## Against float32" in quantise_report.model_card_of(result)
