"""The audit catches a network that reads the border, and clears one that does not."""

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
from training.audit import (
    audit,
    border_baseline,
    measure_view,
    reads_the_border,
    source_probe,
    survival,
)
from training.datasets.records import Record
from training.material import Material
from training.train_classifier import examples
from training.views import FRAME

SIDE = 48
RIM = round(SIDE * FRAME)
GREYS = (60, 120, 180)
EACH = 4


class Reader(nn.Module):
    """Answers from the mean of one region of the picture; its embedding is a thumbnail."""

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


def material(network: nn.Module, *, brighter_source: int = 0) -> Material:
    """Border and centre both give the class away; one source can be brighter between the two."""
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
    return Material(network, card, records, np.stack(pixels), torch.device("cpu"))


@pytest.fixture(scope="module")
def border_reader() -> dict:
    return audit(without(material(Reader(~CENTRE)), CENTRE))


@pytest.fixture(scope="module")
def centre_reader() -> Material:
    return without(material(Reader(CENTRE)), ~CENTRE)


def without(whole: Material, region: np.ndarray) -> Material:
    """One region is equally grey in all pictures."""
    pixels = np.where(region, np.uint8(GREYS[1]), whole.pixels)
    return Material(whole.network, whole.card, whole.records, pixels, whole.device)


def value(found: dict, view: str) -> float:
    return found["views"][view]["test"]["value"]


def test_network_that_reads_the_border_is_caught(border_reader: dict) -> None:
    assert value(border_reader, "border_only") == 1
    assert value(border_reader, "centre_only") == pytest.approx(1 / 3)
    assert reads_the_border(border_reader)


def test_network_that_reads_the_centre_is_cleared(centre_reader: Material) -> None:
    test = examples(centre_reader.records, "test", power=1.0)
    names = ("as_is", "border_only", "centre_only")

    found = {"views": {name: measure_view(centre_reader, test, name) for name in names}}

    assert value(found, "as_is") == value(found, "centre_only") == 1
    assert value(found, "border_only") == pytest.approx(1 / 3)
    assert not reads_the_border(found)


def test_skill_that_lies_in_the_border_survives_without_lungs(border_reader: dict) -> None:
    assert border_reader["survives_without_lungs"] == pytest.approx(1, abs=0.1)


def test_every_view_is_measured_with_interval_and_count(border_reader: dict) -> None:
    for parts in border_reader["views"].values():
        assert parts["test"]["n"] == 2 * parts["siim"]["n"] == 3 * 2 * EACH
        assert parts["test"]["low"] <= parts["test"]["value"] <= parts["test"]["high"]


def test_baseline_finds_the_class_only_where_the_border_gives_it(
    border_reader: dict, centre_reader: Material
) -> None:
    assert border_reader["border_baseline"]["value"] == 1
    assert border_baseline(centre_reader)["value"] < 0.6


def test_baseline_is_not_fitted_on_the_test_split() -> None:
    mixed = material(Reader(CENTRE))
    tests = np.array([r.split == "test" for r in mixed.records])
    mixed.pixels[tests] = 255 - mixed.pixels[tests]

    assert border_baseline(mixed)["value"] < 0.5


@pytest.mark.parametrize(("brighter", "low", "high"), [(0, 0.2, 0.8), (40, 0.95, 1)])
def test_probe_finds_the_source_only_where_the_embedding_holds_it(
    brighter: int, low: float, high: float
) -> None:
    found = source_probe(material(Reader(CENTRE), brighter_source=brighter))

    assert low <= found["value"] <= high
    assert found["chance"] == 1 / 2
    assert found["sources"] == ["other", "siim"]


def test_source_without_validation_images_is_left_out_of_the_probe() -> None:
    whole = material(Reader(CENTRE))
    whole.records[-1] = Record(Path("new"), FINDINGS[2], "new", "new", "test", "new")

    found = source_probe(whole)

    assert found["sources"] == ["other", "siim"]
    assert found["n"] == 3 * 2 * EACH - 1


@pytest.mark.parametrize(
    ("left", "whole", "share"), [(1 / 3, 0.8, 0), (0.8, 0.8, 1), (0.5, 2 / 3, 0.5)]
)
def test_survival_by_hand(left: float, whole: float, share: float) -> None:
    assert survival(left, whole) == pytest.approx(share)


def test_nothing_survives_of_no_skill() -> None:
    assert math.isnan(survival(0.5, 1 / 3))


def test_report_is_plain_values_and_reads_as_a_table(border_reader: dict) -> None:
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
