"""The page's examples are what the command draws, and the shipped filter agrees."""

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
from training import radiographs
from training.anatomy import Film, ellipsoid, tube

FOLDER = ROOT / "web" / "examples"
UPRIGHT = ["clear.jpg", "opacity.jpg", "patches.jpg"]
NAMES = [*UPRIGHT, "turned.jpg", "hand.jpg"]
MOST_BYTES = 30_000
MOST_DIFFERENCE = 3.0  # grey levels on average: other grain makes 2, another chest 11
SMALL = Film(96, 80)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "examples"
    radiographs.main(folder)
    return folder


@pytest.fixture(scope="module")
def judged() -> dict[str, FilterResult]:
    path = ROOT / "bentos" / "xray_filter" / "weights.safetensors"
    card, network = checkpoints.read_card(path), checkpoints.load(path, XRayFilterNet()).eval()
    images = np.stack([prepare(decode((FOLDER / name).read_bytes())) for name in NAMES])
    with torch.inference_mode():
        rows = (network(torch.from_numpy(images)) / card.temperature).softmax(dim=1).numpy()
    results = [filter_result(row, card.thresholds[THRESHOLD]) for row in rows]
    return dict(zip(NAMES, results, strict=True))


def test_the_folder_has_what_is_drawn_and_nothing_else(drawn: Path) -> None:
    for folder in (drawn, FOLDER):
        assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_what_the_command_draws(name: str, drawn: Path) -> None:
    with Image.open(FOLDER / name) as shipped, Image.open(drawn / name) as again:
        difference = np.asarray(shipped, np.float64) - np.asarray(again, np.float64)

    assert shipped.mode == again.mode == "L"
    assert np.abs(difference).mean() < MOST_DIFFERENCE


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", UPRIGHT)
def test_an_upright_chest_is_accepted_with_room_to_spare(
    name: str, judged: dict[str, FilterResult]
) -> None:
    assert judged[name].valid
    assert judged[name].score > 0.9985


def test_the_turned_chest_is_refused_as_turned(judged: dict[str, FilterResult]) -> None:
    assert judged["turned.jpg"].verdict == Verdict.ROTATED_90


def test_the_hand_is_refused_as_another_xray(judged: dict[str, FilterResult]) -> None:
    assert judged["hand.jpg"].verdict == Verdict.OTHER_XRAY


def test_an_opacity_whitens_its_lung_at_any_size() -> None:
    clear, opaque = (
        np.asarray(radiographs.chest(SMALL, np.random.default_rng(0), opacity), np.float64)
        for opacity in (None, radiographs.consolidation)
    )
    where = radiographs.consolidation(SMALL, np.random.default_rng(0)) > 0.6

    assert clear.shape == (SMALL.height, SMALL.width)
    assert opaque[where].mean() > clear[where].mean() + 30


def test_rays_pass_the_whole_volume_of_a_solid() -> None:
    ball = ellipsoid(SMALL, (0, 18), (4, 4, 4)).sum() * SMALL.pixel**2
    rod = tube(np.array([(-5.0, 9.0, 0.0), (5.0, 27.0, 3.0)]), (2.0,), flat=0.5, hollow=0.3)

    assert ball == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.02)
    assert SMALL.chords(rod).sum() * SMALL.pixel**2 == pytest.approx(rod[:, 3].sum(), rel=1e-6)
    assert rod[:, 3].sum() == pytest.approx(np.pi * 2 * 1 * np.sqrt(10**2 + 18**2 + 3**2), rel=1e-6)
