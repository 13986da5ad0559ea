"""From grey values of any depth to 8 bits, by one rule, so that the depth changes no answer."""

from typing import Any

import numpy as np
import numpy.typing as npt

_PERCENTILES = (0.1, 99.9)
"""The darkest and the brightest permille of the values are clipped: dead pixels, small labels."""
_SAMPLE_SIDE = 512
"""The shorter side of what is looked at, in pixels."""
# No radiograph is longer than so many times its width: one that is loses detail along its length
# before it takes memory for all of its pixels.
_LONGEST_ASPECT = 4

# A label, or the padding around a round or turned field, has one extreme value that lies apart.
_FILL_SHARE = 0.0005
"""Least share of the pixels that have such a value."""
_FILL_GAP = 0.1
"""Least distance to the next value, in parts of the range of all others."""
_MAX_FILLS = 4
"""Values of labels and padding at each end."""

_BAND_PIXELS = 2**20
"""What is windowed at a time; each pixel takes a few times its memory meanwhile."""

Greys = npt.NDArray[Any]
"""Grey values (H, W) of any integer or float type, larger is brighter."""


Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def steps(size: tuple[int, int], least: int) -> tuple[int, int]:
    """How many pixels count as one along each side, so that at least so many are left of them."""
    step = max(1, min(size) // least)
    first, second = (max(step, side // (_LONGEST_ASPECT * least)) for side in size)
    return first, second


@np.errstate(invalid="ignore", over="ignore")  # crafted floats, which numpy would name in the log
def window(values: Greys) -> npt.NDArray[np.uint8]:
    """Maps values (H, W) linearly to 0..255; what lies outside of their levels is clipped."""
    low, high = levels(values)
    scale = 255.0 / (high - low) if high > low else 0.0
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        table = _to_bytes(np.arange(2 ** (8 * values.dtype.itemsize)), low, scale, np.float32)
        return np.asarray(table[values])
    made = np.empty(values.shape, np.uint8)
    rows = max(1, _BAND_PIXELS // values.shape[1])
    for top in range(0, len(values), rows):
        # A film of more bits may lie far from zero, where single precision has few values.
        made[top : top + rows] = _to_bytes(values[top : top + rows], low, scale, np.float64)
    return made


def levels(values: Greys) -> tuple[float, float]:
    """Returns the values (H, W) that become black and white; equal where there is no other value.

    Percentiles of the finite values, without the fills of labels and padding.
    """
    down, across = steps((values.shape[0], values.shape[1]), _SAMPLE_SIDE)
    found, counts = _histogram(values[::down, ::across])
    found, counts = _without_fills(found, counts)
    if not found.size:
        return 0.0, 0.0
    shares = np.cumsum(counts) * (100 / counts.sum())
    low, high = found[np.minimum(np.searchsorted(shares, _PERCENTILES), len(found) - 1)]
    return float(low), float(high)


def _histogram(sample: Greys) -> tuple[Floats, Counts]:
    """The finite values that occur, ascending, and how often each does."""
    if sample.dtype.kind == "u" and sample.dtype.itemsize <= 2:
        counts = np.bincount(sample.ravel())
        found = np.flatnonzero(counts)
        return found.astype(np.float64), counts[found]
    wide = sample.astype(np.float64)
    return np.unique(wide[np.isfinite(wide)], return_counts=True)


def _without_fills(found: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Leaves out the few brightest and the few darkest values where they lie apart."""
    least = _FILL_SHARE * counts.sum()
    for _ in range(2):  # a fill at the other end hides how far apart one is
        kept = len(found) - _fills(found, counts, least)
        found, counts = found[:kept], counts[:kept]
        first = _fills(-found[::-1], counts[::-1], least)
        found, counts = found[first:], counts[first:]
    return found, counts


def _fills(found: Floats, counts: Counts, least: float) -> int:
    """How many of the last of ascending values are fills."""
    for number in range(min(_MAX_FILLS, len(found) - 2), 0, -1):
        gap = found[-number] - found[-number - 1]
        spread = found[-number - 1] - found[0]
        if counts[-number:].sum() >= least and gap > _FILL_GAP * spread:
            return number
    return 0


def _to_bytes(
    values: Greys, low: float, scale: float, precision: type[np.floating[Any]]
) -> npt.NDArray[np.uint8]:
    scaled = values.astype(precision)
    scaled -= precision(low)
    scaled *= precision(scale)
    np.nan_to_num(scaled, copy=False)
    np.clip(scaled, 0, 255, out=scaled)
    return np.asarray(scaled.round(out=scaled), np.uint8)
