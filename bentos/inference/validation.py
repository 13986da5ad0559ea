"""What a classifier pod may answer.

A pod has the token and passes its trial, and is not trusted for that: it may be broken, serve
another model, or be another program by now.
"""

import numpy as np

from bentos.inference.wire import Rows

_SUM_TOLERANCE = 1e-3
"""Probabilities are float32: their sum is 1 to the seventh digit."""
_MAX_MAGNITUDE = 1e4
"""Of maps and projections. The shipped model stays below 50 for any image."""
_TOLERANCE = 0.1
"""Two devices differ by less, of a field's largest value or of 1: a GPU multiplies in TF32."""


def implausible(rows: Rows) -> str:
    """Returns what no classifier answers in these rows, or an empty string."""
    found = rows[rows["ok"]]
    probabilities = found["probabilities"]
    # NaN fails every comparison, so each says what must hold.
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        return "a probability is not between 0 and 1"
    if not (abs(probabilities.sum(axis=1) - 1) <= _SUM_TOLERANCE).all():
        return "the probabilities of an image do not add up to 1"
    for name in ("cam", "projection"):
        if not (abs(found[name]) <= _MAX_MAGNITUDE).all():
            return f"a value of {name} is not within {_MAX_MAGNITUDE:g}"
    return ""


def agree(rows: Rows, own: Rows) -> bool:
    """Returns whether two answers to the same images can come from one model."""
    if not np.array_equal(rows["ok"], own["ok"]):
        return False
    rows, own = rows[rows["ok"]], own[own["ok"]]
    return all(_close(rows[name], own[name]) for name in ("probabilities", "cam", "projection"))


def _close(values: np.ndarray, own: np.ndarray) -> bool:
    scale = max(1.0, float(abs(own).max(initial=0)))
    return bool((abs(values - own) <= _TOLERANCE * scale).all())
