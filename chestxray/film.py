"""Where the one film lies in a picture: without borders, page or the window of a viewer.

The picture is cut along rows and columns of one even level, part by part, until nothing more can be
cut (Nagy and Seth 1984, XY-cut). Anatomy is never so even over a whole row, a border always is.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chestxray.windowing import Greys, levels

_SAMPLE_SIDE = 768
"""The most of the shorter side that is looked at, in pixels."""
_CELLS = 256
"""Cells along the longer side; each is known by its darkest and brightest pixel."""
_TOLERANCE = 6
"""Of 255: how far a level may vary and still be even, for the noise of JPEG."""
_SPECKS = 0.02
"""Share of a row or column that may differ: dust, and the corners of letters."""
_GAP = 2
"""Least width of a cut, in cells."""
_LEAST_AREA = 0.06
"""Of the picture, without what is as even as the page: smaller parts are buttons or thumbnails."""
_RIVAL_AREA = 0.4
"""Of the largest part, counted alike: where another is as large, there is more than one film."""
_LEAST_SIDE = 64
_PROBES = 48
"""Cells of a row or column that its level is taken from."""
_MAX_DEPTH = 8
_MAX_ROUNDS = 3
"""A border within a border is found in the second round."""


class Box(NamedTuple):
    """Part of a picture, in pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def of(self, values: Greys) -> Greys:
        """The part itself, a view of values (H, W)."""
        return values[self.top : self.bottom, self.left : self.right]

    def within(self, other: "Box") -> "Box":
        """The same part, where it was found in another one."""
        left, top = other.left, other.top
        return Box(self.left + left, self.top + top, self.right + left, self.bottom + top)


@np.errstate(invalid="ignore", over="ignore")  # crafted floats, which numpy would name in the log
def find(values: Greys) -> Box:
    """Returns where the film lies in values (H, W); all of it where that is not clear."""
    height, width = values.shape
    box = Box(0, 0, width, height)
    for _ in range(_MAX_ROUNDS):
        found = _largest(box.of(values)).within(box)
        if found == box or min(found.right - found.left, found.bottom - found.top) < _LEAST_SIDE:
            break
        box = found
    return box


def _largest(values: Greys) -> Box:
    """The part that shows more by far than any other one, or all."""
    height, width = values.shape
    everything = Box(0, 0, width, height)
    step = -(-min(height, width) // _SAMPLE_SIDE)
    cells = _Cells(values[::step, ::step])
    whole = Box(0, 0, cells.low.shape[1], cells.low.shape[0])
    shown = cells.shown()
    ranked = sorted(cells.cut(whole), key=lambda part: -int(part.of(shown).sum()))
    areas = [int(part.of(shown).sum()) for part in ranked]
    if not ranked or areas[0] < _LEAST_AREA * whole.area:
        return everything
    if len(areas) > 1 and areas[1] > _RIVAL_AREA * areas[0]:
        return everything
    side = cells.side * step
    return _trimmed(values, _in_pixels(ranked[0], side, whole, everything), side)


def _in_pixels(part: Box, side: int, whole: Box, everything: Box) -> Box:
    """A part's pixels and a cell more on each side, since its edge lies within a cell."""
    return Box(
        max(0, part.left - 1) * side,
        max(0, part.top - 1) * side,
        everything.right if part.right == whole.right else (part.right + 1) * side,
        everything.bottom if part.bottom == whole.bottom else (part.bottom + 1) * side,
    )


class _Cells:
    """The darkest and the brightest value of square cells, (rows, columns) each."""

    def __init__(self, values: Greys) -> None:
        self.side = min(max(2, -(-max(values.shape) // _CELLS)), *values.shape)
        self.low = _reduced(values, np.minimum, self.side)
        self.high = _reduced(values, np.maximum, self.side)
        black, white = levels(values)
        self._tolerance = _TOLERANCE / 255 * (white - black)

    def shown(self) -> npt.NDArray[np.bool_]:
        """Which cells are not of the commonest even level, that of the page."""
        even = self.high - self.low <= self._tolerance
        found, counts = np.unique(self.low[even], return_counts=True)
        if not found.size:
            return np.ones_like(even)
        level = found[counts.argmax()]
        return np.asarray(
            (self.high - level > self._tolerance) | (level - self.low > self._tolerance)
        )

    def cut(self, box: Box, depth: int = _MAX_DEPTH) -> list[Box]:
        """The parts of a box between rows and columns of one even level."""
        for axis in (0, 1):
            runs = _runs(~self._even(box, axis))
            length = (box.bottom - box.top, box.right - box.left)[axis]
            if depth and runs != [(0, length)]:
                parts = [_slice(box, axis, *run) for run in runs]
                return [found for part in parts for found in self.cut(part, depth - 1)]
        return [box]

    def _even(self, box: Box, axis: int) -> npt.NDArray[np.bool_]:
        """Which rows (axis 0) or columns (axis 1) of a box have one even level."""
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
    """Where kept lines begin and end; gaps that are too narrow for a cut belong to them."""
    places = np.flatnonzero(kept)
    if not places.size:
        return []
    splits = np.flatnonzero(np.diff(places) > _GAP)
    starts = [places[0], *places[splits + 1]]
    ends = [*(places[splits] + 1), places[-1] + 1]
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _trimmed(values: Greys, box: Box, most: int) -> Box:
    """A box without the even lines at its edges, two cells of `most` pixels at each."""
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
