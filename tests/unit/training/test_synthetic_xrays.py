"""The page's examples are drawn by the command and accepted by the shipped filter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bentos.gateway.pipeline import THRESHOLD, filter_result
from chestxray import checkpoints
from chestxray.images import decode
from chestxray.labels import Verdict
from chestxray.networks import XRayFilterNet
from chestxray.preprocessing import prepare
from chestxray.results import FilterResult
from tests.conftest import ROOT
from training import synthetic_xrays
from training.anatomy import Detector, ellipsoid, tube

FOLDER = ROOT / "web" / "examples"
UPRIGHT = ["clear.jpg", "opacity.jpg", "patches.jpg"]
NAMES = [*UPRIGHT, "turned.jpg", "hand.jpg"]
MOST_BYTES = 30_000
MOST_DIFFERENCE = 3.0  # grey levels on average: other grain makes 2, another chest 11
SMALL = Detector(96, 80)


@pytest.fixture(scope="module")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "examples"
    synthetic_xrays.main(folder)
    return folder


@pytest.fixture(scope="module")
def filter_results() -> dict[str, FilterResult]:
    path = ROOT / "bentos" / "xray_filter" / "weights.safetensors"
    card, network = checkpoints.read_card(path), checkpoints.load(path, XRayFilterNet()).eval()
    images = np.stack([prepare(decode((FOLDER / name).read_bytes())) for name in NAMES])
    with torch.inference_mode():
        rows = (network(torch.from_numpy(images)) / card.temperature).softmax(dim=1).numpy()
    results = [filter_result(row, card.thresholds[THRESHOLD]) for row in rows]
    return dict(zip(NAMES, results, strict=True))


def test_examples_folder_contains_exactly_the_drawn_images(drawn_folder: Path) -> None:
    for folder in (drawn_folder, FOLDER):
        assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_example_equals_the_drawn_image(name: str, drawn_folder: Path) -> None:
    with Image.open(FOLDER / name) as shipped, Image.open(drawn_folder / name) as again:
        difference = np.asarray(shipped, np.float64) - np.asarray(again, np.float64)

    assert shipped.mode == again.mode == "L"
    assert np.abs(difference).mean() < MOST_DIFFERENCE


@pytest.mark.parametrize("name", NAMES)
def test_example_file_is_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", UPRIGHT)
def test_upright_chest_example_is_accepted_with_a_margin(
    name: str, filter_results: dict[str, FilterResult]
) -> None:
    assert filter_results[name].valid
    assert filter_results[name].score > 0.9985


def test_rotated_chest_example_is_rejected_as_rotated(
    filter_results: dict[str, FilterResult],
) -> None:
    assert filter_results["turned.jpg"].verdict == Verdict.ROTATED_90


def test_hand_example_is_rejected_as_another_xray(filter_results: dict[str, FilterResult]) -> None:
    assert filter_results["hand.jpg"].verdict == Verdict.OTHER_XRAY


def test_opacity_brightens_the_lung_at_any_image_size() -> None:
    clear, opaque = (
        np.asarray(synthetic_xrays.chest_xray(SMALL, np.random.default_rng(0), opacity), np.float64)
        for opacity in (None, synthetic_xrays.consolidation)
    )
    where = synthetic_xrays.consolidation(SMALL, np.random.default_rng(0)) > 0.6

    assert clear.shape == (SMALL.height, SMALL.width)
    assert opaque[where].mean() > clear[where].mean() + 30


def test_projection_of_a_solid_preserves_its_volume() -> None:
    ball = ellipsoid(SMALL, (0, 18), (4, 4, 4)).sum() * SMALL.pixel**2
    rod = tube(np.array([(-5.0, 9.0, 0.0), (5.0, 27.0, 3.0)]), (2.0,), flat=0.5, hollow=0.3)

    assert ball == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.02)
    assert SMALL.splat(rod).sum() * SMALL.pixel**2 == pytest.approx(rod[:, 3].sum(), rel=1e-6)
    assert rod[:, 3].sum() == pytest.approx(np.pi * 2 * 1 * np.sqrt(10**2 + 18**2 + 3**2), rel=1e-6)
