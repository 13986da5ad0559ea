"""The precision of the challenge, on features with a known result."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import ClassifierOutput, CovidClassifierNet
from training import appearance_evaluation
from training.datasets.records import Record
from training.evaluation_set import EvaluationSet
from training.examples import Examples
from training.supervision import APPEARANCES


def evaluation_set(random_classifier: Path, per_split: int) -> EvaluationSet:
    records = [
        Record(Path("x"), "covid19", f"{split}{i}", "siim", split, f"{split}{i}")
        for split in ("train", "val", "test")
        for i in range(per_split)
    ]
    records = [
        replace(r, appearance=APPEARANCES[i % len(APPEARANCES)]) for i, r in enumerate(records)
    ]
    network, card = CovidClassifierNet(), checkpoints.read_card(random_classifier)
    pixels = np.zeros((len(records), 224, 224), np.uint8)
    return EvaluationSet(network, card, records, pixels, torch.device("cpu"))


def reads(told: float) -> object:
    """A reader whose features tell the class of every row, so far above the noise."""

    def read(evaluation_set: EvaluationSet, chosen: Examples) -> ClassifierOutput:
        noise = torch.randn(
            len(chosen), 1024, generator=torch.Generator().manual_seed(int(chosen.rows[0]))
        )
        for place, row in enumerate(chosen.rows):
            appearance = evaluation_set.records[row].appearance
            noise[place, APPEARANCES.index(appearance) :: len(APPEARANCES)] += told
        nothing = torch.zeros(len(chosen), 3)
        return ClassifierOutput(nothing, nothing[:, :, None, None], noise, nothing)

    return read


@pytest.mark.parametrize(("told", "low", "high"), [(50.0, 0.99, 1.0), (0.0, 0.1, 0.5)])
def test_precision_reflects_how_well_features_separate_classes(
    random_classifier: Path, monkeypatch: pytest.MonkeyPatch, told: float, low: float, high: float
) -> None:
    monkeypatch.setattr(appearance_evaluation, "network_outputs", reads(told))

    found = appearance_evaluation.evaluate(evaluation_set(random_classifier, 80))

    assert low <= found["mean"]["value"] <= high
    assert found["mean"]["n"] == 80
    assert {name: each["n"] for name, each in found["classes"].items()} == dict.fromkeys(
        APPEARANCES, 20
    )


def test_no_precision_is_reported_without_training_images(random_classifier: Path) -> None:
    tested = evaluation_set(random_classifier, 8)
    only = [replace(r, split="test") for r in tested.records]

    assert appearance_evaluation.evaluate(replace(tested, records=only)) == {}
