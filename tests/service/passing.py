"""A filter that accepts every image, so that both models run."""

from pathlib import Path

from bentos.gateway.pipeline import THRESHOLD
from chestxray import checkpoints
from chestxray.networks import XRayFilterNet
from tests.conftest import ROOT

_SHIPPED = ROOT / "bentos" / "xray_filter" / "weights.safetensors"


def write_filter(folder: Path) -> Path:
    """Writes the shipped filter with a threshold of 0."""
    card = checkpoints.read_card(_SHIPPED).model_copy(update={"thresholds": {THRESHOLD: 0.0}})
    path = folder / "filter.safetensors"
    checkpoints.save(path, checkpoints.load(_SHIPPED, XRayFilterNet()), card)
    return path
