"""The page's examples are answered as they are labelled, by every classifier that ships."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bentos.settings import SHIPPED_EXAMPLES
from chestxray import checkpoints
from chestxray.engines import OnnxEngine
from chestxray.images import decode
from chestxray.labels import FINDINGS, Finding
from chestxray.preprocessing import prepare
from tests.conftest import ROOT

CLASSIFIERS = sorted((ROOT / "bentos/covid_classifier").glob("*.safetensors"))
FINDING_OF = {
    "clear": Finding.NO_FINDING,
    "opacity": Finding.LUNG_OPACITY,
    "patches": Finding.COVID19,
}
REJECTED = {"turned", "hand"}  # by the filter: tests/unit/training/test_synthetic_xrays.py
MARGIN = 0.05
"""Beyond the threshold, so that another CPU answers alike."""


@cache
def engine(checkpoint: Path) -> OnnxEngine:
    return OnnxEngine(checkpoint, checkpoints.read_card(checkpoint).architecture)


def logits(checkpoint: Path, example: str) -> np.ndarray:
    image = prepare(decode((SHIPPED_EXAMPLES / f"{example}.jpg").read_bytes()))
    found: np.ndarray = engine(checkpoint)(image[None])["logits"][0]
    return found


def probabilities(values: np.ndarray) -> np.ndarray:
    exponents = np.exp(values - values.max())
    return np.asarray(exponents / exponents.sum())


def test_every_example_has_a_label() -> None:
    assert {path.stem for path in SHIPPED_EXAMPLES.glob("*.jpg")} == FINDING_OF.keys() | REJECTED


@pytest.mark.parametrize("checkpoint", CLASSIFIERS, ids=lambda path: path.name)
@pytest.mark.parametrize("example", FINDING_OF)
def test_classifier_answers_the_class_of_the_label(checkpoint: Path, example: str) -> None:
    card = checkpoints.read_card(checkpoint)

    scores = probabilities(logits(checkpoint, example) / card.temperature)

    assert FINDINGS[scores.argmax()] == FINDING_OF[example]
    assert scores.max() > card.thresholds["indeterminate"] + MARGIN
