"""Temperatures, bands and thresholds for cases with known results."""

import numpy as np
import pytest
import torch

from training import calibration
from training.calibration import Bin

SURE = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
LABELS = np.array([0, 0, 1, 0])


def test_temperature_of_overconfident_predictions_is_recovered(
    generator: np.random.Generator,
) -> None:
    honest = generator.normal(size=(4000, 3)) * 1.5
    probabilities = torch.from_numpy(honest).softmax(dim=1).numpy()
    labels = np.array([generator.choice(3, p=p) for p in probabilities])

    found = calibration.fit_temperature(torch.from_numpy(honest * 2), torch.from_numpy(labels))

    assert found == pytest.approx(2.0, rel=0.1)


def test_calibration_error_matches_hand_computed_value() -> None:
    bins = [Bin(n=3, confidence=0.9, accuracy=0.6), Bin(n=1, confidence=0.5, accuracy=0.5)]

    assert calibration.expected_calibration_error(bins) == pytest.approx(0.75 * 0.3)


def test_every_prediction_is_in_exactly_one_bin() -> None:
    bins = calibration.reliability(SURE, LABELS)

    assert sum(b.n for b in bins) == len(LABELS)
    assert bins[-1] == Bin(1, pytest.approx(0.9), 1.0)
    assert bins[0] == Bin(1, pytest.approx(0.5), 0.0)


def test_indeterminate_band_ends_where_predictions_become_reliable() -> None:
    cut = calibration.indeterminate_below(SURE, LABELS)

    assert cut == 0.6  # the answer at 0.5 is wrong, those above are right


def test_all_predictions_are_indeterminate_if_none_is_correct() -> None:
    assert calibration.indeterminate_below(SURE, np.array([2, 2, 2, 0])) == 1.0


def test_threshold_is_the_highest_with_the_target_sensitivity() -> None:
    scores, positive = np.linspace(0, 1, 11), np.ones(11, bool)

    assert calibration.threshold_for(scores, positive, 0.90) == pytest.approx(0.1)
    assert calibration.threshold_for(scores, positive, 1.0) == 0


def test_operating_point_reports_sensitivity_and_specificity() -> None:
    positive = LABELS == 0

    found = calibration.evaluate_threshold("no_finding", 0.9, 0.15, SURE[:, 0], positive)

    assert (found.sensitivity.value, found.sensitivity.n) == (1.0, 3)
    assert (found.specificity.value, found.specificity.n) == (1.0, 1)


def test_biases_of_a_shifted_prior_are_recovered(generator: np.random.Generator) -> None:
    honest = generator.normal(size=(4000, 3)) * 1.5
    probabilities = torch.from_numpy(honest).softmax(dim=1).numpy()
    labels = np.array([generator.choice(3, p=p) for p in probabilities])
    shifted = torch.from_numpy(honest + np.array([0.0, -1.0, 0.4]))

    found = calibration.fit_biases(shifted, torch.from_numpy(labels), np.ones(len(labels)))

    assert np.allclose(found, [-0.2, 0.8, -0.6], atol=0.15)
    assert sum(found) == pytest.approx(0, abs=1e-3)


def test_biases_reduce_held_out_loss_only_if_the_prior_is_shifted(
    generator: np.random.Generator,
) -> None:
    honest = torch.from_numpy(generator.normal(size=(2000, 3)) * 1.5)
    labels = torch.tensor([generator.choice(3, p=p) for p in honest.softmax(dim=1).numpy()])
    shifted, weights = honest + torch.tensor([1.0, 0.0, -1.0]), np.ones(len(labels))

    def gain(logits: torch.Tensor) -> float:
        without, with_ = (
            calibration.held_out_loss(logits, labels, weights, biased=biased)
            for biased in (False, True)
        )
        return without - with_

    assert gain(shifted) > 0.1
    assert gain(honest) < 0.01


def test_predictive_values_match_hand_computed_values() -> None:
    """Of 1,000 images 50 are positive: 45 of them and 95 of the others exceed the threshold."""
    scores = np.repeat([0.9, 0.1, 0.9, 0.1], [90, 10, 10, 90])
    point = calibration.evaluate_threshold("covid19", 0.9, 0.5, scores, np.arange(200) < 100)

    found = calibration.predictive_values(point)["0.05"]

    assert found["positive"] == pytest.approx(45 / (45 + 95))
    assert found["negative"] == pytest.approx(855 / (855 + 5))
