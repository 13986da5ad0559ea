"""Windowing of grey values to 8 bits, by the same rule for every bit depth."""

from typing import Any

import numpy as np
import numpy.typing as npt

_PERCENTILES = (0.1, 99.9)
"""Values outside of these percentiles are clipped: dead pixels, small labels."""
_SAMPLE_SIDE = 512
"""The levels are computed on a subsample whose shorter side is about this many pixels."""
# No radiograph has a larger aspect ratio. A longer image is subsampled more along its length, to
# bound memory.
_MAX_ASPECT = 4

# A label, or the padding around a round or rotated field, has a constant extreme value ("fill").
_FILL_SHARE = 0.0005
"""Minimum share of pixels with fill values."""
_FILL_GAP = 0.1
"""Minimum distance of fills to the other values, relative to the range of those."""
_MAX_FILLS = 4
"""Maximum number of fill values at each end."""

_BAND_PIXELS = 2**20
"""Pixels windowed at a time, to bound the memory for intermediate arrays."""

Greys = npt.NDArray[Any]
"""Grey values (H, W) of any integer or float dtype, larger is brighter."""


Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def steps(size: tuple[int, int], least: int) -> tuple[int, int]:
    """Returns the subsampling steps along both sides that leave at least `least` pixels."""
    step = max(1, min(size) // least)
    first, second = (max(step, side // (_MAX_ASPECT * least)) for side in size)
    return first, second


@np.errstate(invalid="ignore", over="ignore")  # numpy would log crafted floats
def window(values: Greys) -> npt.NDArray[np.uint8]:
    """Maps values (H, W) linearly to 0..255, clipping at their levels."""
    low, high = levels(values)
    scale = 255.0 / (high - low) if high > low else 0.0
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        table = _to_bytes(np.arange(2 ** (8 * values.dtype.itemsize)), low, scale, np.float32)
        return np.asarray(table[values])
    made = np.empty(values.shape, np.uint8)
    rows = max(1, _BAND_PIXELS // values.shape[1])
    for top in range(0, len(values), rows):
        # Values of more bits may be far from zero, where float32 is too coarse.
        made[top : top + rows] = _to_bytes(values[top : top + rows], low, scale, np.float64)
    return made


def levels(values: Greys) -> tuple[float, float]:
    """Returns the values that map to black and white: percentiles of the finite values (H, W),
    without fills. Both are equal if there is only one value.
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
    """Returns the distinct finite values, ascending, and their counts."""
    if sample.dtype.kind == "u" and sample.dtype.itemsize <= 2:
        counts = np.bincount(sample.ravel())
        found = np.flatnonzero(counts)
        return found.astype(np.float64), counts[found]
    wide = sample.astype(np.float64)
    return np.unique(wide[np.isfinite(wide)], return_counts=True)


def _without_fills(found: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Drops the fill values at both ends."""
    least = _FILL_SHARE * counts.sum()
    for _ in range(2):  # a fill at one end widens the range, which may hide one at the other
        kept = len(found) - _fills(found, counts, least)
        found, counts = found[:kept], counts[:kept]
        first = _fills(-found[::-1], counts[::-1], least)
        found, counts = found[first:], counts[first:]
    return found, counts


def _fills(found: Floats, counts: Counts, least: float) -> int:
    """Returns how many of the largest values are fills; `found` is ascending."""
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
