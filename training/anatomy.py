"""Body parts as simple solids: their dimensions, and the path length of X-rays through them.

x runs from the midline to the image's right, y down from the top, z to the front, all in cm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import CubicSpline, PchipInterpolator

Plane = npt.NDArray[np.float64]  # (H, W), centimetres along the ray unless noted
Points = npt.NDArray[np.float64]  # (N, 3) positions, or (N, 4) with the volume of each in cm³

_POINT_DENSITY = 1000  # points per cm² of a tube's projection; 5 per pixel of a 512-pixel chest
_STATIONS = 64  # samples for a tube's length and radius
_TWIG = 0.12  # cm; branches thinner than this end

# Roberts 2018, "The unreasonable effectiveness of quasirandom sequences", for 4 dimensions.
_EVENLY = 1.1673039782614187 ** -np.arange(1.0, 5.0)


class Tube(NamedTuple):
    """A tube of the body; for a pair, the one on the patient's left."""

    course: tuple[tuple[float, float, float], ...]
    radii: tuple[float, ...]
    flat: float = 1.0
    density: float = 1.0  # relative to others of its kind

    def sample(self, side: float = 1.0, *, hollow: float = 0.0) -> Points:
        """Points (N, 4) of the tube, x scaled by `side`; negative values mirror it."""
        course = np.array(self.course) * (side, 1, 1)
        return tube(course, self.radii, flat=self.flat, hollow=hollow) * (1, 1, 1, self.density)


# Sections, of arm and lung on the patient's left. Rows: y, one edge's x, the other's, thickness.
TRUNK = np.array(
    [
        (-3, 1, 2.6, 4, 5.6, 8, 11, 14, 20, 28, 40),
        (-5.3, -5.8, -7.5, -11, -15.5, -17.6, -17.2, -16.2, -15.6, -15.3, -15.8),
        (5.3, 5.8, 7.5, 11, 15.5, 17.6, 17.2, 16.2, 15.6, 15.3, 15.8),
        (11, 11.5, 12, 12.5, 13, 16, 18.5, 20.5, 22, 22.5, 23),
    ]
)
ARM = np.array(
    [
        (4.2, 4.7, 6, 9, 14, 24, 40),
        (13, 11.5, 11, 12.5, 15.2, 17.6, 19),
        (14, 16.6, 18.6, 20.3, 21.6, 23.5, 25),
        (1, 5, 8.5, 9, 8.5, 8, 8),
    ]
)
LUNG = np.array(
    [
        (4.2, 4.7, 6, 8.5, 12, 16, 20, 25, 30, 34),
        (4.6, 3.4, 2.4, 2, 1.8, 1.6, 1.5, 1.4, 1.4, 1.4),
        (5.2, 6.3, 8, 10, 11.7, 12.7, 13.3, 13.6, 13.4, 12.8),
        (0.3, 3, 7, 11, 14, 15.5, 16, 15.5, 13, 10),
    ]
)

# From the first down: degrees from the spine to the front end, cm that it sinks until there.
RIBS = np.array(
    [
        (140, 146, 148, 148, 146, 144, 141, 137, 132, 126, 100, 80),
        (2.4, 4.6, 6.2, 7.4, 8.2, 8.8, 9, 9, 8.8, 8.4, 8, 8),
    ]
)

SHOULDER_GIRDLE = (
    Tube(  # clavicle
        ((1.8, 8.5, 6), (4.5, 8, 6.5), (7.5, 6.7, 5), (10.5, 5.4, 3), (13.7, 5.3, 1)),
        (0.95, 0.68, 0.55, 0.5, 0.55, 0.7),
    ),
    Tube(  # humerus
        ((16, 6.1, 0), (16.4, 8, 0), (17.2, 12, 0), (18.3, 18, 0), (19.6, 26, 0)),
        (0.6, 1.9, 2.1, 1.6, 1.25, 1.15, 1.1, 1.1, 1.1, 1.1, 1.1),
        density=0.6,
    ),
    Tube(  # scapula: lateral border, medial border, spine, blade
        ((14.8, 8, -5), (14.5, 12, -6), (14, 16, -7), (13, 20, -7)), (1, 0.6, 0.4, 0.3), 0.8, 0.7
    ),
    Tube(((11, 6.6, -7), (10.8, 10, -8), (11.6, 15, -8), (13, 20, -7)), (0.2,), density=0.6),
    Tube(((11, 8.6, -8), (13, 6.9, -6), (15.9, 4.9, -3)), (0.3, 0.5, 0.75), density=0.7),
    Tube(((13, 6.8, -7), (12.7, 12, -7), (13.1, 18.6, -7)), (1.7, 1.6, 0.4), 0.2, 0.3),
)
AIRWAYS = (  # trachea and main bronchi
    Tube(((0, -1, 0), (0.1, 6, 0), (0.4, 13.3, 0)), (0.9,)),
    Tube(((0.2, 12.9, 0), (-1.6, 14.8, 0), (-3.2, 17.2, 0)), (0.75, 0.5)),
    Tube(((0.5, 12.9, 0), (2.2, 14.6, 0), (4.3, 16.4, 0)), (0.65, 0.45)),
)
AORTA = Tube(((1.6, 11.5, -2), (2.4, 14, -5), (2.2, 20, -6), (1.2, 28, -6)), (1.2,))

VESSELS = (  # from a hilum: degrees below the horizontal, radius
    *((-80, 0.34), (-62, 0.34), (-42, 0.32), (-20, 0.3), (0, 0.34)),
    *((20, 0.4), (38, 0.46), (54, 0.5), (68, 0.52), (82, 0.46)),
)

# A hand of 20 cm: sections as above, fingers from wrist to tip with their joints.
PALM = np.array(
    [
        (8.6, 9.6, 11.5, 14.5, 16, 24),
        (-3.6, -4.2, -4.4, -3.2, -2.8, -3),
        (3.6, 4.3, 4.2, 3.1, 2.8, 2.9),
        (1.2, 2.2, 2.8, 3.2, 3.4, 4.2),
    ]
)
HAND = (
    ((-1.6, 15.6, 0), (-7.4, 9, 0), (0.05, 0.44, 0.75, 1)),
    ((-1.3, 14.6, 0), (-3.5, 2.9, 0), (0.02, 0.48, 0.74, 0.89, 1)),
    ((-0.4, 14.4, 0), (-0.6, 1.9, 0), (0.02, 0.46, 0.73, 0.89, 1)),
    ((0.5, 14.5, 0), (2.1, 2.8, 0), (0.02, 0.45, 0.72, 0.88, 1)),
    ((1.3, 14.8, 0), (4.7, 5.3, 0), (0.02, 0.47, 0.74, 0.87, 1)),
)
CARPALS = ((-1.6, 15.9), (-0.7, 15.1), (0.4, 15.1), (1.4, 15.4), (-0.8, 16.3), (0.4, 16.3))
FOREARM = (
    Tube(((-0.9, 17.3, 0), (-1.2, 19, 0), (-1.4, 24, 0)), (1.2, 0.85, 0.7)),
    Tube(((1.4, 17.6, 0), (1.4, 19.5, 0), (1.2, 24, 0)), (0.6, 0.5, 0.55)),
)


@dataclass(frozen=True)
class Detector:
    """A grid of parallel rays from back to front: `height` and `width` in pixels, `span` in cm."""

    height: int
    width: int
    span: float = 36.0  # of the height

    @property
    def pixel(self) -> float:
        """Side of a pixel in cm."""
        return self.span / self.height

    @cached_property
    def y(self) -> Plane:
        """Of every row, (H, 1)."""
        return np.asarray(np.arange(0.5, self.height)[:, None] * self.pixel)

    @cached_property
    def x(self) -> Plane:
        """Of every column, (1, W)."""
        return np.asarray((np.arange(0.5, self.width)[None] - self.width / 2) * self.pixel)

    def blur(self, plane: Plane, sigma: float) -> Plane:
        """Gaussian blur with a standard deviation in cm."""
        return np.asarray(ndimage.gaussian_filter(plane, sigma / self.pixel, mode="nearest"))

    def smooth_noise(self, size: float, rng: np.random.Generator) -> Plane:
        """Smooth noise with mean 0 and standard deviation 1; its details are about `size`
        cm large.
        """
        down, right = self.y / size + 1, (self.x - self.x[0, 0]) / size + 1
        coarse = rng.normal(size=(int(down[-1, 0]) + 3, int(right[0, -1]) + 3))
        smooth = ndimage.map_coordinates(coarse, np.broadcast_arrays(down, right))
        return np.asarray((smooth - smooth.mean()) / smooth.std())

    def warp(self, plane: Plane, amount: float, rng: np.random.Generator) -> Plane:
        """Warps a plane smoothly by `amount` cm, because nobody is symmetric."""
        shifts = [amount / self.pixel * self.smooth_noise(7, rng) for _ in range(2)]
        places = np.indices(plane.shape) + shifts
        return np.asarray(ndimage.map_coordinates(plane, places, order=1, mode="nearest"))

    def splat(self, points: Points) -> Plane:
        """Splats the volumes of points (N, 4) bilinearly onto the rays."""
        row = points[:, 1] / self.pixel - 0.5
        column = points[:, 0] / self.pixel + self.width / 2 - 0.5
        plane = np.zeros((self.height + 2, self.width + 2))  # the margin catches what falls outside
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            r, c = np.floor(row) + down, np.floor(column) + right
            volumes = (1 - np.abs(row - r)) * (1 - np.abs(column - c)) * points[:, 3]
            r, c = np.clip(r + 1, 0, self.height + 1), np.clip(c + 1, 0, self.width + 1)
            cell = (r * plane.shape[1] + c).astype(np.intp)
            plane += np.bincount(cell, volumes, plane.size).reshape(plane.shape)
        return plane[1:-1, 1:-1] / self.pixel**2


def ellipsoid(
    detector: Detector,
    centre: tuple[float, float],
    axes: tuple[float, float, float],
    tilt: float = 0.0,
) -> Plane:
    """Path lengths through an ellipsoid with half-axes along x, y, z, rotated clockwise by `tilt`
    degrees.
    """
    cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    dx, dy = detector.x - centre[0], detector.y - centre[1]
    along, across = (cos * dx + sin * dy) / axes[0], (cos * dy - sin * dx) / axes[1]
    return np.asarray(2 * axes[2] * np.sqrt(np.clip(1 - along**2 - across**2, 0, None)))


def superellipse_stack(detector: Detector, sections: Plane, power: float = 2.3) -> Plane:
    """Path lengths through a stack of superellipses (4, K): y, x of both edges, thickness."""
    top, bottom = sections[0, [0, -1]]
    rows = PchipInterpolator(sections[0], sections[1:], axis=1)(
        np.clip(detector.y[:, 0], top, bottom)
    )
    one, other, thickness = rows[..., None]  # each (H, 1)
    off_centre = np.abs((2 * detector.x - one - other) / (other - one))
    inside = (detector.y >= top) & (detector.y <= bottom)
    depth = np.clip(1 - off_centre**power, 0, None) ** (1 / power)
    return np.asarray(inside * thickness * depth)


def tube(
    course: Points, radius: Sequence[float], *, flat: float = 1.0, hollow: float = 0.0
) -> Points:
    """Points (N, 4) evenly distributed in a tube along a curve through `course` (K, 3).

    A section is `radius` high and `flat` times as deep; a share `hollow` is in the wall.
    """
    stations = np.linspace(0, 1, _STATIONS)
    curve = CubicSpline(np.linspace(0, 1, len(course)), course)
    radii = np.interp(stations, np.linspace(0, 1, len(radius)), radius)
    length = np.linalg.norm(np.diff(curve(stations), axis=0), axis=1).sum()
    count = int(2 * length * radii.mean() * _POINT_DENSITY) + 8
    at, turn, depth, core = (np.arange(1, count + 1)[:, None] * _EVENLY % 1).T[..., None]

    tangent, here = curve(at[:, 0], 1), np.interp(at, stations, radii)
    upward, outward = _across(tangent)
    from_axis = here * np.where(core < hollow, 0.75 + 0.25 * depth, np.sqrt(depth))
    angle = 2 * np.pi * turn
    aside = np.cos(angle) * upward + flat * np.sin(angle) * outward
    volumes = np.pi * flat * here**2 * np.linalg.norm(tangent, axis=1, keepdims=True) / count
    return np.hstack([curve(at[:, 0]) + from_axis * aside, volumes])


def vessel_tree(
    start: Points, direction: Points, length: float, radius: float, rng: np.random.Generator
) -> Iterator[Points]:
    """Tubes (N, 4) that branch from `start` (3,), each thinner and shorter than its parent."""
    if radius < _TWIG:
        return
    middle = start + direction * length / 2 + rng.normal(0, 0.06 * length, 3)
    end = start + direction * length + rng.normal(0, 0.06 * length, 3)
    yield tube(np.array([start, middle, end]), (radius, 0.75 * radius))
    for origin in (end, end, middle)[: rng.integers(2, 4)]:
        shorter, thinner = length * rng.uniform(0.65, 0.92), radius * rng.uniform(0.55, 0.8)
        yield from vessel_tree(
            origin, normalise(direction + rng.normal(0, 0.4, 3)), shorter, thinner, rng
        )


def normalise(vectors: Points) -> Points:
    """Normalises vectors (..., 3)."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _across(tangent: Points) -> tuple[Points, Points]:
    """Two unit vectors (N, 3) orthogonal to each tangent, the first as vertical as possible."""
    tangent = normalise(tangent)
    up = np.array([0.05, 1.0, 0.1])  # tilted a little, because some tubes are vertical
    upward = normalise(up - (tangent @ up)[:, None] * tangent)
    return upward, np.cross(tangent, upward)
