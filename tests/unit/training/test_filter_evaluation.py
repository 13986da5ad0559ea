"""Choice of the filter's threshold, and consistency with the gateway."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentos.gateway.pipeline import filter_result
from chestxray.labels import VERDICTS
from training.filter_evaluation import choose_threshold, decide


def test_chosen_threshold_separates_the_classes() -> None:
    scores = np.array([0.99, 0.95, 0.2, 0.01])

    threshold = choose_threshold(scores, np.array([True, True, False, False]))

    assert 0.2 < threshold < 0.95


def test_chosen_threshold_weights_both_classes_equally() -> None:
    scores = np.array([0.9, 0.8, *np.linspace(0.1, 0.7, 50), 0.85])
    valid = np.array([True, True] + [False] * 51)

    assert 0.7 < choose_threshold(scores, valid) < 0.8


@given(
    odds=st.lists(st.floats(-8, 8), min_size=len(VERDICTS), max_size=len(VERDICTS)),
    threshold=st.floats(0.01, 0.99),
)
def test_evaluation_and_gateway_decide_the_same(odds: list[float], threshold: float) -> None:
    scores = np.exp(np.round(odds, 2))
    scores = scores / scores.sum()

    evaluated = VERDICTS[decide(scores[None], threshold)[0]]

    assert filter_result(scores, threshold).verdict == evaluated


@pytest.mark.parametrize(("score", "valid"), [(0.49, False), (0.5, True)])
def test_score_at_the_threshold_is_valid(score: float, valid: bool) -> None:
    scores = np.array([score, *[0.0] * (len(VERDICTS) - 2), 1 - score])

    assert filter_result(scores, 0.5).valid is valid
