"""The audit detects a network that uses the border, and passes one that does not."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chestxray import checkpoints
from chestxray.labels import FINDINGS
from chestxray.networks import ClassifierOutput
from chestxray.preprocessing import Preprocessing
from training import audit as audits
from training.ablations import FRAME
from training.audit import (
    audit,
    border_baseline,
    exceeds_border_limit,
    measure_ablation,
    remaining_margin,
    source_probe,
)
from training.datasets.records import Record
from training.evaluation_set import EvaluationSet
from training.train_classifier import examples

SIDE = 48
RIM = round(SIDE * FRAME)
GREYS = (60, 120, 180)
EACH = 4


class Reader(nn.Module):
    """A network that classifies by the mean of one image region; its embedding is a thumbnail."""

    architecture = "reader"
    preprocessing = Preprocessing(size=SIDE, mean=(0.0,), std=(1.0,))
    labels = FINDINGS

    def __init__(self, region: np.ndarray) -> None:
        super().__init__()
        self.region = torch.from_numpy(region)

    def forward(self, images: Tensor) -> ClassifierOutput:
        pictures = images[:, 0].float()
        level = pictures[:, self.region].mean(dim=1, keepdim=True)
        logits = -(level - torch.tensor(GREYS)).abs() / 10
        thumbnail = nn.functional.adaptive_avg_pool2d(pictures, 8).flatten(1)
        return ClassifierOutput(
            logits, logits[..., None, None].expand(-1, -1, 4, 4), thumbnail, logits
        )


CENTRE = np.zeros((SIDE, SIDE), bool)
CENTRE[RIM:-RIM, RIM:-RIM] = True


def evaluation_set(network: nn.Module, *, brighter_source: int = 0) -> EvaluationSet:
    """Images whose border and centre both reveal the class; one source can be brighter."""
    noise, records, pixels = np.random.default_rng(0), [], []
    for split in ("train", "val", "test"):
        for finding, grey in zip(FINDINGS, GREYS, strict=True):
            for dataset in ["siim", "other"] * EACH:
                name = f"{len(records)}"
                records.append(Record(Path(name), finding, name, dataset, split, name))
                picture = grey + noise.normal(0, 4, (SIDE, SIDE))
                if dataset == "other":
                    picture[20:28, 20:28] += brighter_source
                pixels.append(picture.clip(0, 255).astype(np.uint8))
    card = checkpoints.card_of(network, name="reader", version="0")
    return EvaluationSet(network, card, records, np.stack(pixels), torch.device("cpu"))


@pytest.fixture(scope="module")
def border_reader() -> dict:
    return audit(without(evaluation_set(Reader(~CENTRE)), CENTRE))


@pytest.fixture(scope="module")
def centre_reader() -> EvaluationSet:
    return without(evaluation_set(Reader(CENTRE)), ~CENTRE)


def without(whole: EvaluationSet, region: np.ndarray) -> EvaluationSet:
    """The set with one region made equally grey in all images."""
    pixels = np.where(region, np.uint8(GREYS[1]), whole.pixels)
    return EvaluationSet(whole.network, whole.card, whole.records, pixels, whole.device)


def value(found: dict, view: str) -> float:
    return found["views"][view]["test"]["value"]


def test_network_that_uses_the_border_exceeds_the_limit(border_reader: dict) -> None:
    assert value(border_reader, "border_only") == 1
    assert value(border_reader, "centre_only") == pytest.approx(1 / 3)
    assert exceeds_border_limit(border_reader)


def test_network_that_uses_the_centre_passes(centre_reader: EvaluationSet) -> None:
    test = examples(centre_reader.records, "test", power=1.0)
    names = ("as_is", "border_only", "centre_only")

    found = {"views": {name: measure_ablation(centre_reader, test, name) for name in names}}

    assert value(found, "as_is") == value(found, "centre_only") == 1
    assert value(found, "border_only") == pytest.approx(1 / 3)
    assert not exceeds_border_limit(found)


def test_accuracy_based_on_the_border_remains_without_the_lungs(border_reader: dict) -> None:
    assert border_reader["survives_without_lungs"] == pytest.approx(1, abs=0.1)


def test_every_ablation_is_measured_with_interval_and_count(border_reader: dict) -> None:
    for parts in border_reader["views"].values():
        assert parts["test"]["n"] == 2 * parts["siim"]["n"] == 3 * 2 * EACH
        assert parts["test"]["low"] <= parts["test"]["value"] <= parts["test"]["high"]


def test_border_baseline_succeeds_only_if_the_border_reveals_the_class(
    border_reader: dict, centre_reader: EvaluationSet
) -> None:
    assert border_reader["border_baseline"]["value"] == 1
    assert border_baseline(centre_reader)["value"] < 0.6


def test_border_baseline_is_not_fitted_on_the_test_split() -> None:
    mixed = evaluation_set(Reader(CENTRE))
    tests = np.array([r.split == "test" for r in mixed.records])
    mixed.pixels[tests] = 255 - mixed.pixels[tests]

    assert border_baseline(mixed)["value"] < 0.5


@pytest.mark.parametrize(("brighter", "low", "high"), [(0, 0.2, 0.8), (40, 0.95, 1)])
def test_source_probe_succeeds_only_if_the_embedding_reveals_the_source(
    brighter: int, low: float, high: float
) -> None:
    found = source_probe(evaluation_set(Reader(CENTRE), brighter_source=brighter))

    assert low <= found["value"] <= high
    assert found["chance"] == 1 / 2
    assert found["sources"] == ["other", "siim"]


def test_source_probe_omits_sources_without_validation_images() -> None:
    whole = evaluation_set(Reader(CENTRE))
    whole.records[-1] = Record(Path("new"), FINDINGS[2], "new", "new", "test", "new")

    found = source_probe(whole)

    assert found["sources"] == ["other", "siim"]
    assert found["n"] == 3 * 2 * EACH - 1


@pytest.mark.parametrize(
    ("left", "whole", "share"), [(1 / 3, 0.8, 0), (0.8, 0.8, 1), (0.5, 2 / 3, 0.5)]
)
def test_remaining_margin_matches_hand_computed_values(
    left: float, whole: float, share: float
) -> None:
    assert remaining_margin(left, whole) == pytest.approx(share)


def test_remaining_margin_is_nan_at_chance_level() -> None:
    assert math.isnan(remaining_margin(0.5, 1 / 3))


def test_audit_result_is_json_serialisable_and_renders_as_a_table(border_reader: dict) -> None:
    rate = border_reader["border_baseline"]
    areas = {"cam": rate, "random": rate, "cam_minus_random": rate}
    maps = {
        "mass_in_lungs": {"covid19": {"in_lungs": rate, "if_uniform": 0.3}},
        "deletion_insertion": {"deletion": areas, "insertion": areas},
    }

    found = json.loads(json.dumps(border_reader | {"cam": maps}))

    assert found == border_reader | {"cam": maps}
    assert "border_only" in audits.table(found)
    assert "1.000" in audits.table(found)
