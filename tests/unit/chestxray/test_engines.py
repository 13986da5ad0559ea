"""Every engine computes the same outputs as the network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

from chestxray import checkpoints, engines
from chestxray.engines import GRAPHS, Engine, OnnxEngine, TorchEngine, softmax
from chestxray.errors import CheckpointError
from chestxray.networks import BY_ARCHITECTURE, CovidClassifierNet, XRayFilterNet
from tests.conftest import ROOT
from training import graphs

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4
"""Tolerance of logits; probabilities are shown with four digits."""

CHECKPOINTS = {"random_filter": XRayFilterNet, "random_classifier": CovidClassifierNet}


@pytest.fixture(params=CHECKPOINTS)
def checkpoint(request: pytest.FixtureRequest) -> tuple[Path, nn.Module]:
    path = request.getfixturevalue(request.param)
    return path, checkpoints.load(path, CHECKPOINTS[request.param]()).eval()


def assert_engine_matches(engine: Engine, network: nn.Module, tolerance: float) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 224, 224), np.uint8)
    with torch.inference_mode():
        answer = network(torch.from_numpy(images))
    expected = {"logits": answer} if isinstance(answer, torch.Tensor) else answer._asdict()
    for count in (5, 1):  # batches share nothing
        found = engine(images[:count])
        assert set(found) | {"embedding"} == set(expected) | {"embedding"}
        for name, values in found.items():
            wanted = expected[name][:count].numpy()
            assert values.dtype == np.float32
            assert np.allclose(values, wanted, atol=tolerance * max(1, np.abs(wanted).max()))


def test_onnx_engine_matches_the_network(checkpoint: tuple[Path, nn.Module]) -> None:
    path, network = checkpoint

    assert_engine_matches(OnnxEngine(path, network.architecture), network, TOLERANCE)


def test_engine_has_a_thread_for_each_usable_core(
    random_filter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "usable_cores", lambda: 3)

    assert OnnxEngine(random_filter, XRayFilterNet.architecture).parallel == 3


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_multithreaded_engine_keeps_the_order_of_the_images(
    random_filter: Path, threads: int
) -> None:
    """With five images, four threads share the last one; of three threads two get one more."""
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 224, 224), np.uint8)
    engine = OnnxEngine(random_filter, XRayFilterNet.architecture, threads=threads)

    together = engine(images)["logits"]

    apart = np.concatenate([engine(image[None])["logits"] for image in images])
    assert len(np.unique(apart[:, 0])) == 5
    assert np.allclose(together, apart, atol=1e-5)


def test_torch_engine_matches_the_network(checkpoint: tuple[Path, nn.Module]) -> None:
    path, network = checkpoint
    engine = TorchEngine(path, BY_ARCHITECTURE[network.architecture](), "cpu")

    assert_engine_matches(engine, network, TOLERANCE)
    convolutions = [m for m in engine._network.modules() if isinstance(m, nn.Conv2d)]
    assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)


@pytest.mark.parametrize("architecture", BY_ARCHITECTURE)
def test_shipped_onnx_graph_is_what_the_command_writes(architecture: str) -> None:
    graph = graphs.graph_of(BY_ARCHITECTURE[architecture]().eval())

    written = (GRAPHS / f"{architecture}.onnx").read_bytes()
    assert graph.SerializeToString(deterministic=True) == written
    assert len(written) < 500_000  # no weights


def test_engine_rejects_a_checkpoint_of_another_architecture(random_filter: Path) -> None:
    with pytest.raises(CheckpointError, match="densenet121_blocks123 is needed"):
        OnnxEngine(random_filter, CovidClassifierNet.architecture)


def test_engine_rejects_a_checkpoint_with_a_missing_weight(
    random_filter: Path, tmp_path: Path
) -> None:
    weights = load_file(random_filter)
    del weights["backbone.classifier.1.bias"]
    with safe_open(random_filter, "numpy") as file:
        save_file(weights, tmp_path / "short.safetensors", file.metadata())

    with pytest.raises(CheckpointError, match="does not fit mobilenet_v2"):
        OnnxEngine(tmp_path / "short.safetensors", XRayFilterNet.architecture)


def test_cpu_engine_does_not_import_torch(random_filter: Path) -> None:
    """Importing torch would take seconds of every start."""
    code = (
        "import sys; from pathlib import Path; from chestxray.engines import open_engine\n"
        f"open_engine(Path({str(random_filter)!r}), 'mobilenet_v2', device='cpu')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


def test_cuda_is_checked_only_if_a_driver_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.Path, "exists", lambda path: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert not engines._cuda_is_available()
    monkeypatch.setattr(engines.Path, "exists", lambda path: str(path) == "/dev/nvidiactl")
    assert engines._cuda_is_available()


def test_softmax_matches_torch() -> None:
    logits = np.random.default_rng(0).normal(0, 50, (4, 7)).astype(np.float32)

    expected = (torch.from_numpy(logits) / 1.7).softmax(dim=1).numpy()

    assert np.allclose(softmax(logits, 1.7), expected, atol=1e-6)
