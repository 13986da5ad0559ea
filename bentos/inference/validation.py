"""What a classifier pod may answer; of anything else as little is read as shows that it is wrong.

A pod has the token and passes the probe, and is not believed for that: it may be broken, have
another model, or be someone else's program by now.
"""

from typing import Literal

import aiohttp
import numpy as np

from bentos.covid_classifier.service import ROW
from bentos.inference import wire
from bentos.inference.model import Rows

Reason = Literal["unreachable", "timeout", "busy", "refused", "malformed", "implausible", "wrong"]
"""Why a pod is given up, as the metric says it."""

_SUM_TOLERANCE = 1e-3
"""Probabilities are float32: their sum is 1 to the seventh digit."""
_MAX_MAGNITUDE = 1e4
"""Of maps and places. The shipped model stays below 50, whatever it is shown."""
_TOLERANCE = 0.1
"""Two devices differ by less, of a field's largest value or of 1: a GPU multiplies in TF32."""


class PodFailed(Exception):
    """A pod did not answer as it should; the message says how, in words of ours alone."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


async def read_rows(answer: aiohttp.ClientResponse, count: int) -> Rows:
    """Reads the answer to so many images. Raises PodFailed."""
    if answer.status != 200:
        raise PodFailed(
            "busy" if answer.status == 503 else "refused", f"it answered {answer.status}"
        )
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise PodFailed("malformed", "its answer is compressed, which it was asked not to be")
    data = await _read(answer, wire.max_rows_bytes(ROW, count))
    try:
        rows = wire.unpack_rows(data, ROW, count)
    except ValueError as error:
        raise PodFailed("malformed", str(error)) from error
    if complaint := implausible(rows):
        raise PodFailed("implausible", complaint)
    return rows


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body, length = bytearray(), answer.content_length or 0
    if length <= max_bytes:
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise PodFailed("malformed", f"its answer is larger than {max_bytes} bytes")


def implausible(rows: Rows) -> str:
    """What no classifier answers, of rows of ROW; empty where they may be true."""
    found = rows[rows["ok"]]
    probabilities = found["probabilities"]
    # NaN fails every comparison, so each says what must hold.
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        return "a probability is not between 0 and 1"
    if not (abs(probabilities.sum(axis=1) - 1) <= _SUM_TOLERANCE).all():
        return "the probabilities of an image are not 1 together"
    for name in ("cam", "projection"):
        if not (abs(found[name]) <= _MAX_MAGNITUDE).all():
            return f"a value of {name} is not within {_MAX_MAGNITUDE:g}"
    return ""


def agree(rows: Rows, own: Rows) -> bool:
    """Whether two answers to the same images, as of ROW, can be of one model."""
    if not np.array_equal(rows["ok"], own["ok"]):
        return False
    rows, own = rows[rows["ok"]], own[own["ok"]]
    return all(_close(rows[name], own[name]) for name in ("probabilities", "cam", "projection"))


def _close(values: np.ndarray, own: np.ndarray) -> bool:
    scale = max(1.0, float(abs(own).max(initial=0)))
    return bool((abs(values - own) <= _TOLERANCE * scale).all())
