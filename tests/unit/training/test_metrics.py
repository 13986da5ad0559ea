"""Metrics for hand-computed cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training.metrics import auc, balanced_accuracy, bootstrap_mean, performance, wilson

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 2, 2, 0])


def one_hot(predicted: np.ndarray) -> np.ndarray:
    return np.eye(3)[predicted]


def test_performance_matches_hand_computed_values(generator: np.random.Generator) -> None:
    found = performance(one_hot(PREDICTED), LABELS, generator=generator)

    assert found.confusion == [[3, 1, 0], [0, 1, 1], [1, 0, 1]]
    assert [r.value for r in found.sensitivity] == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert [r.value for r in found.specificity] == pytest.approx([3 / 4, 5 / 6, 5 / 6])
    assert found.balanced_accuracy.value == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    assert found.balanced_accuracy.low <= found.balanced_accuracy.value
    assert found.balanced_accuracy.high >= found.balanced_accuracy.value
    assert found.n == 8


def test_auc_matches_hand_computed_value(generator: np.random.Generator) -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.5, 0.5, 0.0], [0.1, 0.9, 0.0]])

    found = performance(scores, np.array([0, 0, 1, 1]), generator=generator)

    assert found.auc[0].value == pytest.approx(3 / 4)
    assert np.isnan(found.auc[2].value)


def test_perfect_predictions_score_one(generator: np.random.Generator) -> None:
    found = performance(one_hot(LABELS), LABELS, generator=generator)

    assert found.balanced_accuracy.value == found.balanced_accuracy.low == 1
    assert [r.value for r in found.auc] == [1, 1, 1]


def test_predicting_one_class_scores_chance_level() -> None:
    assert balanced_accuracy(np.zeros(8, np.int64), LABELS) == pytest.approx(1 / 3)


def test_wilson_interval_matches_the_textbook() -> None:
    found = wilson(8, 10)

    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_interval_contains_its_share(n: int, share: float) -> None:
    found = wilson(round(share * n), n)

    assert 0 <= found.low <= found.value + 1e-12
    assert found.value <= found.high + 1e-12 <= 1 + 1e-9


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_rank_based_auc_matches_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([p[0] for p in pairs]) / 5, np.array([p[1] for p in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(auc(scores, positive))
    else:
        assert auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_bootstrap_interval_narrows_with_more_values(generator: np.random.Generator) -> None:
    few, many = (bootstrap_mean(generator.normal(size=n), generator=generator) for n in (20, 2000))

    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 4
