"""What the service answers on labelled images, at its threshold."""

import numpy as np

from training.answers import answered

PROBABILITIES = np.array(
    [[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.75, 0.2, 0.05]]
)
PROBABILITIES -= 1e-7  # which the service rounds away
LABELS = np.array([0, 0, 0, 1, 1])


def test_answers_below_the_threshold_name_no_class() -> None:
    found = answered(PROBABILITIES, LABELS, 0.71)

    assert (found["share"]["value"], found["share"]["n"]) == (3 / 5, 5)
    assert (found["right"]["value"], found["right"]["n"]) == (1 / 3, 3)
    assert list(found["classes"]) == ["no_finding", "lung_opacity"]
    normal, opacity = found["classes"].values()
    assert normal["answers"] == {
        "no_finding": 1,
        "lung_opacity": 1,
        "covid19": 0,
        "indeterminate": 1,
    }
    assert (normal["share"]["value"], normal["right"]["value"]) == (2 / 3, 1 / 2)
    assert opacity["right"]["value"] == 0
    assert opacity["answers"]["indeterminate"] == 1


def test_threshold_is_compared_with_the_scores_as_they_are_served() -> None:
    assert (
        answered(PROBABILITIES, LABELS, 0.75)["classes"]["lung_opacity"]["share"]["value"] == 1 / 2
    )


def test_nothing_is_right_where_nothing_is_answered() -> None:
    assert "right" not in answered(PROBABILITIES, LABELS, 0.95)
