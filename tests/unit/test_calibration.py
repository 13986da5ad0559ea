"""Temperatures, bands and thresholds against cases whose answer is known."""

import numpy as np
import pytest
import torch

from training import calibration
from training.calibration import Bin

SURE = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
LABELS = np.array([0, 0, 1, 0])


def test_temperature_of_overconfident_answers_is_found(generator: np.random.Generator) -> None:
    honest = generator.normal(size=(4000, 3)) * 1.5
    probabilities = torch.from_numpy(honest).softmax(dim=1).numpy()
    labels = np.array([generator.choice(3, p=p) for p in probabilities])

    found = calibration.fit_temperature(torch.from_numpy(honest * 2), torch.from_numpy(labels))

    assert found == pytest.approx(2.0, rel=0.1)


def test_calibration_error_by_hand() -> None:
    bins = [Bin(n=3, confidence=0.9, accuracy=0.6), Bin(n=1, confidence=0.5, accuracy=0.5)]

    assert calibration.expected_calibration_error(bins) == pytest.approx(0.75 * 0.3)


def test_every_answer_is_in_one_bin() -> None:
    bins = calibration.reliability(SURE, LABELS)

    assert sum(b.n for b in bins) == len(LABELS)
    assert bins[-1] == Bin(1, pytest.approx(0.9), 1.0)
    assert bins[0] == Bin(1, pytest.approx(0.5), 0.0)


def test_answers_above_the_band_are_right_as_often_as_said() -> None:
    cut = calibration.indeterminate_below(SURE, LABELS)

    assert cut == 0.6  # the answer at 0.5 is wrong, those above are right


def test_without_right_answers_all_are_indeterminate() -> None:
    assert calibration.indeterminate_below(SURE, np.array([2, 2, 2, 0])) == 1.0


def test_threshold_reaches_its_sensitivity_and_no_lower_one() -> None:
    scores, positive = np.linspace(0, 1, 11), np.ones(11, bool)

    assert calibration.threshold_for(scores, positive, 0.90) == pytest.approx(0.1)
    assert calibration.threshold_for(scores, positive, 1.0) == 0


def test_operating_point_is_measured_where_it_was_not_chosen() -> None:
    positive = LABELS == 0

    found = calibration.operate("no_finding", 0.9, 0.15, SURE[:, 0], positive)

    assert (found.sensitivity.value, found.sensitivity.n) == (1.0, 3)
    assert (found.specificity.value, found.specificity.n) == (1.0, 1)
