"""Maps over the image region that a network uses pass the checks; other maps do not."""

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
from training.evaluation_set import EvaluationSet
from training.lungs import lung_mask
from training.train_classifier import examples

CELLS = 14
SPOT = np.zeros((CELLS, CELLS))
SPOT[5:9, 3:5] = 1
"""Cells within the lung on the image's left."""


class SpotClassifier(nn.Module):
    """A network that predicts COVID-19 if the spot is striped, and returns a given map."""

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
def radiograph() -> np.ndarray:
    """A phantom whose spot is striped."""
    stripes = np.where(np.arange(SIZE) % 4 < 2, 255, 0).astype(np.uint8)
    return np.where(np.kron(SPOT, np.ones((16, 16))) > 0, stripes, phantom(SIZE, SIZE))


def evaluation_set(radiograph: np.ndarray, shown: np.ndarray) -> EvaluationSet:
    network = SpotClassifier(shown)
    records = [Record(Path(f"{f}"), f, f, "siim", "test", f) for f in FINDINGS]
    card = checkpoints.card_of(network, name="looker", version="0")
    return EvaluationSet(network, card, records, np.stack([radiograph] * 3), torch.device("cpu"))


def faithfulness(radiograph: np.ndarray, shown: np.ndarray) -> dict:
    measured = evaluation_set(radiograph, shown)
    return deletion_insertion(measured, examples(measured.records, "test", power=1.0))


def test_map_of_the_decisive_region_beats_a_random_order(radiograph: np.ndarray) -> None:
    found = faithfulness(radiograph, SPOT)

    assert found["deletion"]["cam_minus_random"]["high"] < -0.05
    assert found["insertion"]["cam_minus_random"]["low"] > 0.05
    assert found["n"] == 3


def test_map_of_other_regions_does_worse_than_a_random_order(radiograph: np.ndarray) -> None:
    found = faithfulness(radiograph, 1 - SPOT)

    assert found["deletion"]["cam_minus_random"]["low"] > 0.05
    assert found["insertion"]["cam_minus_random"]["high"] < -0.05


def test_deletion_and_insertion_curves_run_between_whole_and_blurred_image(
    radiograph: np.ndarray,
) -> None:
    found = faithfulness(radiograph, SPOT)

    for order in ("cam", "random"):
        deletion, insertion = (found[w]["curves"][order] for w in ("deletion", "insertion"))
        assert len(deletion) == cam_audit.STEPS + 1
        assert deletion[0] == pytest.approx(insertion[-1])
        assert deletion[-1] == pytest.approx(insertion[0])
        assert deletion[0] > 0.9 > 0.4 > deletion[-1]


def test_cells_with_the_highest_scores_are_selected_first() -> None:
    scores = np.array([[0.1, 0.9], [0.5, -3.0]])

    half, none, whole = (cam_audit.top_cells(scores, share, (4, 6)) for share in (0.5, 0, 1))

    assert (half == np.kron([[False, True], [True, False]], np.ones((2, 3)))).all()
    assert not none.any()
    assert whole.all()


def test_grid_that_does_not_divide_the_image_covers_it() -> None:
    assert cam_audit.top_cells(np.eye(3), 1, (10, 11)).all()


def test_map_inside_the_lungs_has_its_mass_in_the_lungs(radiograph: np.ndarray) -> None:
    measured = evaluation_set(radiograph, SPOT)

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))

    assert list(found) == ["covid19"]
    assert found["covid19"]["in_lungs"]["value"] > 0.8
    assert found["covid19"]["in_lungs"]["n"] == 3
    assert found["covid19"]["if_uniform"] == pytest.approx(lung_mask(radiograph).mean())


def test_map_outside_the_lungs_has_no_mass_in_the_lungs(radiograph: np.ndarray) -> None:
    corner = np.zeros((CELLS, CELLS))
    corner[:2, :2] = 10
    measured = evaluation_set(radiograph, corner - SPOT)

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))

    assert 0 <= found["covid19"]["in_lungs"]["value"] < 0.05


def test_uniform_map_has_mass_proportional_to_the_lung_area(radiograph: np.ndarray) -> None:
    measured = evaluation_set(radiograph, np.ones((CELLS, CELLS)))

    found = mass_in_lungs(measured, examples(measured.records, "test", power=1.0))["covid19"]

    assert found["in_lungs"]["value"] == pytest.approx(found["if_uniform"], abs=1e-5)


def test_map_without_positive_values_is_not_counted(radiograph: np.ndarray) -> None:
    measured = evaluation_set(radiograph, -np.ones((CELLS, CELLS)))

    assert mass_in_lungs(measured, examples(measured.records, "test", power=1.0)) == {}


def test_cam_audit_result_is_json_serialisable(radiograph: np.ndarray) -> None:
    found = cam_audit.cam_audit(evaluation_set(radiograph, SPOT))

    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"mass_in_lungs", "deletion_insertion"}
