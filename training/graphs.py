"""Exports the ONNX graphs for the CPU, one per architecture, without weights.

    python -m training.graphs [--output chestxray/graphs]

Initializers keep the names that weights have in a checkpoint, so that any checkpoint of the
architecture fits (chestxray.engines.OnnxEngine).
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import onnx
import torch

from chestxray.engines import GRAPHS, INPUT
from chestxray.networks import BY_ARCHITECTURE, ClassifierOutput, Network
from chestxray.preprocessing import SIZE

_OPSET = 17
_UNSERVED = "embedding"
"""Output that is not served; all others are."""


class _Served(torch.nn.Module):
    """A network as served: returns a tuple of the served outputs."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        answer = self.network(images)
        if not isinstance(answer, ClassifierOutput):
            return answer  # type: ignore[no-any-return]
        return tuple(value for name, value in answer._asdict().items() if name != _UNSERVED)


def graph_of(network: Network) -> onnx.ModelProto:
    """Exports the network's graph with external weights; overwrites the network's weights."""
    weights = {n: w for n, w in network.state_dict().items() if w.is_floating_point()}
    for tensor in weights.values():
        tensor.uniform_(0.5, 1.5)  # the exporter would merge equal tensors
    names = ["logits"]
    if isinstance(network(torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8)), ClassifierOutput):
        names = [name for name in ClassifierOutput._fields if name != _UNSERVED]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        file = Path(folder) / "graph.onnx"  # the older exporter keeps the weights' names
        torch.onnx.export(
            _Served(network).eval(),
            (torch.zeros(2, 1, SIZE, SIZE, dtype=torch.uint8),),
            file,
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=names,
            dynamic_axes={name: {0: "B"} for name in (INPUT, *names)},
            # Any other setting folds the norms into the convolutions and loses the names.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
        model = onnx.load(file)
    for node in model.graph.node:
        node.input[:] = [name.removeprefix("network.") for name in node.input]
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.removeprefix("network.")
        if tensor.name in weights:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights.safetensors")
    if missing := set(weights) - {tensor.name for tensor in model.graph.initializer}:
        raise ValueError(f"the exporter did not keep {sorted(missing)}")
    del model.graph.value_info[:]
    model.ClearField("doc_string")
    for node in model.graph.node:
        node.ClearField("doc_string")
    return model


def main() -> None:
    """Writes all graphs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=GRAPHS)
    output = parser.parse_args().output
    for architecture, build in BY_ARCHITECTURE.items():
        path = output / f"{architecture}.onnx"
        path.write_bytes(graph_of(build().eval()).SerializeToString(deterministic=True))
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
