"""Finds the single radiograph in an image that has borders, a page or a viewer window around it.

Recursive XY-cut (Nagy and Seth 1984): the image is split along rows and columns of uniform grey
until no part can be split further. A border is uniform over a whole row or column; anatomy never
is.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chestxray.windowing import Greys, levels

_SAMPLE_SIDE = 768
"""The image is subsampled so that its shorter side has at most this many pixels."""
_CELLS = 256
"""Cells along the longer side; a cell keeps only its minimum and maximum."""
_TOLERANCE = 6
"""Out of 255: deviation within which grey counts as uniform, for JPEG noise."""
_SPECKS = 0.02
"""Share of a row or column that may deviate: dust, and the corners of letters."""
_GAP = 2
"""Gaps of up to this many cells are not cut."""
_MIN_AREA = 0.06
"""Minimum share of the image, not counting background; smaller parts are buttons or thumbnails."""
_RIVAL_AREA = 0.4
"""Share of the largest part above which a second part counts as another radiograph."""
_MIN_SIDE = 64
"""Minimum side of the result, in pixels."""
_PROBES = 48
"""Cells of a row or column that its median is computed from."""
_MAX_DEPTH = 8
_MAX_ROUNDS = 3
"""The second round finds a border within a border."""


class Box(NamedTuple):
    """Rectangle in pixels or cells; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def of(self, values: Greys) -> Greys:
        """Returns the box as a view of values (H, W)."""
        return values[self.top : self.bottom, self.left : self.right]

    def within(self, other: "Box") -> "Box":
        """Translates a box that is relative to `other`."""
        left, top = other.left, other.top
        return Box(self.left + left, self.top + top, self.right + left, self.bottom + top)


@np.errstate(invalid="ignore", over="ignore")  # numpy would log crafted floats
def find(values: Greys) -> Box:
    """Returns the box of the radiograph in values (H, W), or the whole image if ambiguous."""
    height, width = values.shape
    box = Box(0, 0, width, height)
    for _ in range(_MAX_ROUNDS):
        found = _largest(box.of(values)).within(box)
        if found == box or min(found.right - found.left, found.bottom - found.top) < _MIN_SIDE:
            break
        box = found
    return box


def _largest(values: Greys) -> Box:
    """Returns the part with by far the most content, or the whole image."""
    height, width = values.shape
    everything = Box(0, 0, width, height)
    step = -(-min(height, width) // _SAMPLE_SIDE)
    cells = _Cells(values[::step, ::step])
    whole = Box(0, 0, cells.low.shape[1], cells.low.shape[0])
    shown = cells.shown()
    ranked = sorted(cells.cut(whole), key=lambda part: -int(part.of(shown).sum()))
    areas = [int(part.of(shown).sum()) for part in ranked]
    if not ranked or areas[0] < _MIN_AREA * whole.area:
        return everything
    if len(areas) > 1 and areas[1] > _RIVAL_AREA * areas[0]:
        return everything
    side = cells.side * step
    return _trimmed(values, _in_pixels(ranked[0], side, whole, everything), side)


def _in_pixels(part: Box, side: int, whole: Box, everything: Box) -> Box:
    """Converts cells to pixels, plus a cell on each side, because the edge is within a cell."""
    return Box(
        max(0, part.left - 1) * side,
        max(0, part.top - 1) * side,
        everything.right if part.right == whole.right else (part.right + 1) * side,
        everything.bottom if part.bottom == whole.bottom else (part.bottom + 1) * side,
    )


class _Cells:
    """Minimum and maximum of square cells, each (rows, columns)."""

    def __init__(self, values: Greys) -> None:
        self.side = min(max(2, -(-max(values.shape) // _CELLS)), *values.shape)
        self.low = _reduced(values, np.minimum, self.side)
        self.high = _reduced(values, np.maximum, self.side)
        black, white = levels(values)
        self._tolerance = _TOLERANCE / 255 * (white - black)

    def shown(self) -> npt.NDArray[np.bool_]:
        """Marks the cells that are not background, the most common uniform grey."""
        even = self.high - self.low <= self._tolerance
        found, counts = np.unique(self.low[even], return_counts=True)
        if not found.size:
            return np.ones_like(even)
        level = found[counts.argmax()]
        return np.asarray(
            (self.high - level > self._tolerance) | (level - self.low > self._tolerance)
        )

    def cut(self, box: Box, depth: int = _MAX_DEPTH) -> list[Box]:
        """Splits a box along uniform rows and columns, recursively."""
        for axis in (0, 1):
            runs = _runs(~self._even(box, axis))
            length = (box.bottom - box.top, box.right - box.left)[axis]
            if depth and runs != [(0, length)]:
                parts = [_slice(box, axis, *run) for run in runs]
                return [found for part in parts for found in self.cut(part, depth - 1)]
        return [box]

    def _even(self, box: Box, axis: int) -> npt.NDArray[np.bool_]:
        """Marks the uniform rows (axis 0) or columns (axis 1) of a box."""
        low, high = box.of(self.low), box.of(self.high)
        if axis == 1:
            low, high = low.T, high.T
        level = np.median(low[:, :: max(1, low.shape[1] // _PROBES)], axis=1, keepdims=True)
        off = (high - level > self._tolerance) | (level - low > self._tolerance)
        return np.asarray(off.mean(axis=1) <= _SPECKS)


def _reduced(values: Greys, reduce: np.ufunc, side: int) -> npt.NDArray[np.float64]:
    rows, columns = (max(1, length // side) for length in values.shape)
    whole = values[: rows * side, : columns * side]
    down = functools.reduce(reduce, [whole[i::side] for i in range(side)])
    across = functools.reduce(reduce, [down[:, i::side] for i in range(side)])
    return np.asarray(np.nan_to_num(across.astype(np.float64)))


def _slice(box: Box, axis: int, start: int, end: int) -> Box:
    if axis == 0:
        return box._replace(top=box.top + start, bottom=box.top + end)
    return box._replace(left=box.left + start, right=box.left + end)


def _runs(kept: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns (start, end) of runs of kept lines; gaps of up to _GAP do not end a run."""
    places = np.flatnonzero(kept)
    if not places.size:
        return []
    splits = np.flatnonzero(np.diff(places) > _GAP)
    starts = [places[0], *places[splits + 1]]
    ends = [*(places[splits] + 1), places[-1] + 1]
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _trimmed(values: Greys, box: Box, most: int) -> Box:
    """Trims uniform lines from each edge of a box, at most two cells of `most` pixels."""
    part = box.of(values)
    low, high = levels(part)
    tolerance = _TOLERANCE / 255 * (high - low)

    def even(lines: Greys) -> int:
        count = 0
        for line in np.nan_to_num(lines[: 2 * most + 1].astype(np.float64)):
            off = np.abs(line - np.median(line)) > tolerance
            if off.mean() > _SPECKS:
                break
            count += 1
        return count

    left, right = even(part.T), even(part.T[::-1])
    top, bottom = even(part), even(part[::-1])
    if left + right >= part.shape[1] or top + bottom >= part.shape[0]:
        return box
    return Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)
