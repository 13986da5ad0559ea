"""Rough lung masks on upright frontal chest X-rays, without a trained segmentation network.

Matches a pair of upright ellipses that are darker inside than just around (a matched filter). With
these as prior, a mixture of two normals, fitted by expectation maximisation (Dempster et al. 1977),
separates lung from the rest. Each lung is the convex hull of its largest dark component.
"""

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull

Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.float64]  # (H, W)

_SMOOTH = 1 / 90  # share of the side: blurs ribs, keeps lungs
_SURROUNDINGS = 1 / 5.6  # share of the side: neighbourhood for local contrast
_AIR = 0.8  # times the lower quartile where lungs usually are; darker at the edge is air

# Shares of the image; chosen by eye on 64 images of all sources.
_CENTRE_Y, _HALF_HEIGHT = np.arange(0.32, 0.56, 0.04), np.arange(0.16, 0.38, 0.04)
_CENTRE_X, _HALF_WIDTH = np.arange(0.24, 0.37, 0.025), np.arange(0.10, 0.19, 0.02)
_USUAL = np.array([0.44, 0.29, 0.29, 0.15])  # centre y and x, half height, half width
_SPREAD = np.array([0.07, 0.04, 0.07, 0.03])
_PULL = 0.45  # towards the typical position, in filter response per squared deviation
_RING = 1.4  # outer radius of the ring that the inside is compared with, in radii
_GRID = 56  # side at which ellipses are matched
_EDGE = 5.0  # slope of the prior at an ellipse's edge, per radius
_ROUNDS = 4  # iterations of expectation maximisation
_LEAST = (
    0.5  # minimum share of the ellipse that a component must cover; otherwise the ellipse is used
)


def lung_mask(picture: npt.NDArray[np.uint8]) -> Mask:
    """Estimates both lungs as bool (H, W); of opaque areas only the outline."""
    darkness = _darkness(picture)
    lungs = [_refine(darkness, ellipse) for ellipse in _match(darkness)]
    return np.asarray(lungs[0] | lungs[1])


def _darkness(picture: npt.NDArray[np.uint8]) -> Plane:
    """Local contrast in standard deviations, darker is higher; air counts as bright as bone.

    Clipped at 2.5 standard deviations to limit the influence of letters and metal.
    """
    side = max(picture.shape)
    smooth = ndimage.gaussian_filter(picture.astype(np.float64), side * _SMOOTH)
    air = _air(smooth)
    body, sigma = (~air).astype(np.float64), side * _SURROUNDINGS
    weight = _blur(body, sigma) + 1e-3
    level = _blur(smooth * body, sigma) / weight
    variance = _blur((smooth - level) ** 2 * body, sigma) / weight
    contrast = (level - smooth) / (
        np.sqrt(variance) + 2
    )  # 2 grey levels: uniform areas have no contrast
    return np.where(air, -1.0, np.clip(contrast, -2.5, 2.5))


def _blur(values: Plane, sigma: float) -> Plane:
    return np.asarray(
        ndimage.gaussian_filter(values, sigma, truncate=2.0)
    )  # float32 takes half the time


def _air(smooth: Plane) -> Mask:
    """Dark areas connected to the image's edge."""
    usual = (_radius(_USUAL, smooth.shape) < 1) | (_radius(_mirror(_USUAL), smooth.shape) < 1)
    dark = smooth < _AIR * np.percentile(smooth[usual], 25)
    parts, _ = ndimage.label(ndimage.binary_opening(dark, iterations=2))
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.asarray(np.isin(parts, rim[rim > 0]))


def _match(darkness: Plane) -> tuple[Plane, Plane]:
    """The best ellipses (centre y and x, half height, half width), the one on the image's left
    first.

    Both have the same height: if one lung is opaque, the other shows its extent.
    """
    small = Image.fromarray(darkness.astype(np.float32))
    grid = np.asarray(small.resize((_GRID, _GRID), Image.Resampling.BOX))
    candidates, filters, penalties = _filters()
    scores = [filters @ side.ravel() - penalties for side in (grid, grid[:, ::-1])]
    heights = np.unique(candidates[:, [0, 2]], axis=0, return_inverse=True)[1].ravel()
    best = [np.full(heights.max() + 1, -np.inf) for _ in scores]
    for score, top in zip(scores, best, strict=True):
        np.maximum.at(top, heights, score)
    chosen = heights == (best[0] + best[1]).argmax()
    left, right = (candidates[np.where(chosen, score, -np.inf).argmax()] for score in scores)
    return left, _mirror(right)


@cache
def _filters() -> tuple[Plane, Plane, Plane]:
    """Ellipses (K, 4), their filters (K, _GRID * _GRID) and how atypical they are (K,).

    A filter responds with the contrast of inside and ring, times the square root of the inside's
    area.
    """
    shape = (_GRID, _GRID)
    candidates = np.array(list(product(_CENTRE_Y, _CENTRE_X, _HALF_HEIGHT, _HALF_WIDTH)))
    left = np.arange(_GRID) < 0.53 * _GRID  # the other lung is beyond the midline
    filters = []
    for ellipse in candidates:
        radius = _radius(ellipse, shape)
        inside, ring = radius < 1, (radius >= 1) & (radius < _RING) & left
        weights = inside / inside.sum() - ring / ring.sum()
        filters.append(weights.ravel() * np.sqrt(inside.sum()))
    penalties = _PULL * (((candidates - _USUAL) / _SPREAD) ** 2).sum(axis=1)
    return candidates, np.array(filters), penalties


def _refine(darkness: Plane, ellipse: Plane) -> Mask:
    """The hull of the dark component at an ellipse, or the ellipse if the component is too
    small.
    """
    radius = _radius(ellipse, darkness.shape)
    prior = 1 / (1 + np.exp((radius - 1) * _EDGE))
    opened = ndimage.binary_opening(_posterior(darkness, prior) > 0.5, iterations=3)
    parts, count = ndimage.label(opened)
    if not count:
        return np.asarray(radius < 1)
    sums = ndimage.sum_labels(prior, parts, range(1, count + 1))
    lung = parts == 1 + np.argmax(sums)
    return _hull(lung) if lung[radius < 1].mean() > _LEAST else np.asarray(radius < 1)


def _posterior(darkness: Plane, prior: Plane) -> Plane:
    """Probability of lung; values darker than lung count as lung, brighter than the rest as
    rest.
    """
    lung = prior
    for _ in range(_ROUNDS):
        inside, spread_in = _moments(darkness, lung)
        outside, spread_out = _moments(darkness, 1 - lung)
        yes = _likelihood(np.minimum(darkness, inside), inside, spread_in) * prior
        no = _likelihood(np.maximum(darkness, outside), outside, spread_out) * (1 - prior)
        lung = yes / (yes + no + 1e-9)
    return lung


def _moments(values: Plane, weights: Plane) -> tuple[float, float]:
    mean = np.average(values, weights=weights)
    return float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=weights)) + 0.02)


def _likelihood(values: Plane, mean: float, spread: float) -> Plane:
    return np.asarray(np.exp(-(((values - mean) / spread) ** 2) / 2) / spread)


def _hull(mask: Mask) -> Mask:
    points = np.argwhere(mask)[:, ::-1]  # order is x, y
    corners = points[ConvexHull(points).vertices]
    canvas = Image.new("1", mask.shape[::-1])
    ImageDraw.Draw(canvas).polygon([(int(x), int(y)) for x, y in corners], fill=1)
    return np.asarray(canvas)


def _mirror(ellipse: Plane) -> Plane:
    return np.array([ellipse[0], 1 - ellipse[1], ellipse[2], ellipse[3]])


def _radius(ellipse: Plane, shape: tuple[int, ...]) -> Plane:
    """Distance (H, W) from an ellipse's centre; 1 at its edge."""
    height, width = shape
    y = (np.arange(height)[:, None] + 0.5) / height
    x = (np.arange(width) + 0.5) / width
    centre_y, centre_x, half_height, half_width = ellipse
    return np.asarray(np.hypot((y - centre_y) / half_height, (x - centre_x) / half_width))
