"""What the service answers on labelled images: a class, or none below its threshold."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxray.labels import FINDINGS
from chestxray.results import DIGITS
from training.metrics import Floats, Ints, wilson

INDETERMINATE = "indeterminate"
"""Key of the card's threshold on the largest probability, and the answer below it."""

_Marks = npt.NDArray[np.bool_]


def answered(probabilities: Floats, labels: Ints, threshold: float) -> dict[str, Any]:
    """Counts the answers to images with `probabilities` (N, classes) and `labels` (N,).

    Returns `share`, of the images that are answered with a class, and `right`, of those; also for
    the images of each class, with the number of each answer.
    """
    rounded = probabilities.round(DIGITS)  # as the service compares them
    is_answered = rounded.max(axis=1) >= threshold
    predicted = rounded.argmax(axis=1)
    classes = {}
    for c, label in enumerate(FINDINGS):
        if (of_class := labels == c).any():
            answers = np.bincount(predicted[of_class & is_answered], minlength=len(FINDINGS))
            named = dict(zip(map(str, FINDINGS), answers.tolist(), strict=True))
            rest = int((of_class & ~is_answered).sum())
            shares = _share_and_right(is_answered[of_class], predicted[of_class] == c)
            classes[str(label)] = shares | {"answers": named | {INDETERMINATE: rest}}
    return _share_and_right(is_answered, predicted == labels) | {"classes": classes}


def _share_and_right(is_answered: _Marks, is_right: _Marks) -> dict[str, Any]:
    n = int(is_answered.sum())
    found = {"share": asdict(wilson(n, len(is_answered)))}
    return found | ({"right": asdict(wilson(int(is_right[is_answered].sum()), n))} if n else {})
