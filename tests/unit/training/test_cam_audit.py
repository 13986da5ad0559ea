"""Maps that lie where a network looks pass the checks; maps that lie elsewhere do not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chestxray import checkpoints
from chestxray.labels import FINDINGS
from chestxray.networks import ClassifierOutput
from chestxray.preprocessing import SIZE, Preprocessing
from tests.phantoms import phantom
from training import cam_audit
from training.cam_audit import deletion_insertion, mass_in_lungs
from training.datasets.records import Record
from training.lungs import lung_mask
from training.material import Material
from training.train_classifier import examples

CELLS = 14
SPOT = np.zeros((CELLS, CELLS))
SPOT[5:9, 3:5] = 1
"""Cells within the lung on the picture's left."""


class Looker(nn.Module):
    """Says COVID-19 if the spot is striped, and shows any map that it is given."""

    architecture = "looker"
    preprocessing = Preprocessing(mean=(0.0,), std=(1.0,))
    labels = FINDINGS

    def __init__(self, shown: np.ndarray) -> None:
        super().__init__()
        self.shown = torch.from_numpy(shown).float()

    def forward(self, images: Tensor) -> ClassifierOutput:
        cells = images[:, 0].float().unfold(1, 16, 16).unfold(2, 16, 16)  # (B, 14, 14, 16, 16)
        stripes = cells.std(dim=(3, 4))[:, SPOT > 0].mean(dim=1)
        zero = torch.zeros_like(stripes)
        logits = torch.stack([zero, zero, stripes / 25 - 2], dim=1)
        cam = torch.zeros(len(images), 3, CELLS, CELLS)
        cam[:, 2] = self.shown
        return ClassifierOutput(logits, cam, logits, logits)


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """A phantom whose spot is striped."""
    stripes = np.where(np.arange(SIZE) % 4 < 2, 255, 0).astype(np.uint8)
    return np.where(np.kron(SPOT, np.ones((16, 16))) > 0, stripes, phantom(SIZE, SIZE))


def material(film: np.ndarray, shown: np.ndarray) -> Material:
    network = Looker(shown)
    records = [Record(Path(f"{f}"), f, f, "siim", "test", f) for f in FINDINGS]
    card = checkpoints.card_of(network, name="looker", version="0")
    return Material(network, card, records, np.stack([film] * 3), torch.device("cpu"))


def faithfulness(film: np.ndarray, shown: np.ndarray) -> dict:
    measured = material(film, shown)
    return deletion_insertion(measured, examples(measured.records, "test", power=1.0))


def test_map_of_what_decides_beats_a_random_order(film: np.ndarray) -> None:
    found = faithfulness(film, SPOT)

    assert found["deletion"]["cam_minus_random"]["high"] < -0.05
    assert found["insertion"]["cam_minus_random"]["low"] > 0.05
    assert found["n"] == 3


def test_map_of_all_else_does_worse_than_a_random_order(film: np.ndarray) -> None:
    found = faithfulness(film, 1 - SPOT)

    assert found["deletion"]["cam_minus_random"]["low"] > 0.05
    assert found["insertion"]["cam_minus_random"]["high"] < -0.05


def test_curves_start_and_end_with_the_whole_and_the_blurred_picture(film: np.ndarray) -> None:
    found = faithfulness(film, SPOT)

    for order in ("cam", "random"):
        deletion, insertion = (found[w]["curves"][order] for w in ("deletion", "insertion"))
        assert len(deletion) == cam_audit.STEPS + 1
        assert deletion[0] == pytest.approx(insertion[-1])
        assert deletion[-1] == pytest.approx(insertion[0])
        assert deletion[0] > 0.9 > 0.4 > deletion[-1]


def test_highest_cells_come_first() -> None:
    scores = np.array([[0.1, 0.9], [0.5, -3.0]])

    half, none, whole = (cam_audit.highest(scores, share, (4, 6)) for share in (0.5, 0, 1))

    assert (half == np.kron([[False, True], [True, False]], np.ones((2, 3)))).all()
    assert not none.any()
    assert whole.all()


def test_grid_that_does_not_divide_the_picture_covers_it() -> None:
    assert cam_audit.highest(np.eye(3), 1, (10, 11)).all()


def test_map_in_the_lungs_has_its_mass_there(film: np.ndarray) -> None:
    measured = material(film, SPOT)

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))

    assert list(found) == ["covid19"]
    assert found["covid19"]["in_lungs"]["value"] > 0.8
    assert found["covid19"]["in_lungs"]["n"] == 3
    assert found["covid19"]["if_uniform"] == pytest.approx(lung_mask(film).mean())


def test_map_beside_the_lungs_has_its_mass_elsewhere(film: np.ndarray) -> None:
    corner = np.zeros((CELLS, CELLS))
    corner[:2, :2] = 10
    measured = material(film, corner - SPOT)

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))

    assert 0 <= found["covid19"]["in_lungs"]["value"] < 0.05


def test_uniform_map_has_the_lungs_share_in_the_lungs(film: np.ndarray) -> None:
    measured = material(film, np.ones((CELLS, CELLS)))

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))["covid19"]

    assert found["in_lungs"]["value"] == pytest.approx(found["if_uniform"], abs=1e-5)


def test_map_without_evidence_is_not_counted(film: np.ndarray) -> None:
    measured = material(film, -np.ones((CELLS, CELLS)))

    assert mass_in_lungs(measured, examples(measured.records, "test", power=1.0)) == {}


def test_both_checks_come_back_as_plain_values(film: np.ndarray) -> None:
    found = cam_audit.cam_audit(material(film, SPOT))

    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"mass_in_lungs", "deletion_insertion"}
