"""Random augmentations of a batch, on its device."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training import degradation


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Strength of each augmentation; evaluation uses none."""

    flip: bool = False  # horizontal flip
    rotation: float = 0.0  # degrees, in both directions
    zoom: tuple[float, float] = (1.0, 1.0)  # above 1 zooms in, which hides the borders
    shift: float = 0.0  # share of the side, in both directions
    crop: float = 1.0  # side of a crop at the original scale, as a share; faster, no borders
    brightness: float = 0.0  # share of the full range, in both directions
    contrast: float = 0.0  # factor in 1 +- this
    gamma: float = 0.0  # exponent in 2 ** +- this
    top_occlusion: float = 0.0  # probability of masking the corners, which hold letters and arrows
    erasing: float = 0.0  # probability of one grey rectangle anywhere
    border: float = 0.0  # probability of a frame of one grey level, 3% to 15% of each side
    letters: float = 0.0  # probability of a burnt-in mark, bright or dark, at the top or a side
    noise: float = (
        0.0  # maximum standard deviation of noise per pixel, as a share of the full range
    )
    blur: float = 0.0  # probability of downscaling to 0.35 to 0.9 of the side and back
    quality: float = 0.0  # probability of JPEG artefacts, of quality 20 to 90


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Augments uint8 (B, 1, H, W) to float32 (B, 1, crop * H, crop * W), still in [0, 255]."""
    return augment_together(images, images[:, :0], how, generator)[0]


def augment_together(
    images: Tensor, regions: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Augments images as `augment` does, and regions (B, C, h, w) geometrically with them.

    Returns regions as float32 of crop times their size, 0 outside the image.
    """
    draw = Draw(images.shape[0], generator, images.device)
    matrix, margins = _motion(how, draw), None
    if how.border:
        margins = _margins(how, draw)
        matrix = _within(matrix, margins)
    varied = _tone(_move(images.float(), matrix, how.crop), how, draw)
    moved = _move(regions.float(), matrix, how.crop) if regions.shape[1] else regions
    if margins is not None:
        varied, moved = _frame(varied, margins, _level(draw)), _frame(moved, margins)
    return _hide(_degrade(varied, how, draw), how, draw), moved


class Draw:
    """Uniform random numbers, one per image."""

    def __init__(self, count: int, generator: torch.Generator, device: torch.device) -> None:
        self._count, self._generator, self._device = count, generator, device

    def __call__(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        unit = torch.rand(self._count, generator=self._generator).to(self._device)
        return low + (high - low) * unit  # (B,)

    def chance(self, probability: float) -> Tensor:
        """Returns bool (B,), true with the probability."""
        return self() < probability

    def normal(self, shape: torch.Size) -> Tensor:
        """Returns standard normal numbers (B, *shape)."""
        return torch.randn((self._count, *shape), generator=self._generator).to(self._device)


def _motion(how: Augmentation, draw: Draw) -> Tensor:
    """Draws affine matrices (B, 2, 3) from output to input coordinates."""
    angle = draw(-how.rotation, how.rotation) * math.pi / 180
    scale = how.crop / draw(*how.zoom)
    mirror = 1 - 2 * (draw.chance(0.5 if how.flip else 0.0)).float()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    reach = 2 * how.shift + 1 - how.crop  # coordinates span -1 to 1
    shift_x, shift_y = draw(-reach, reach), draw(-reach, reach)
    rows = [cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _margins(how: Augmentation, draw: Draw) -> Tensor:
    """Draws the widths (B, 4) of frames at left, top, right and bottom, as shares of the side; 0:
    none.
    """
    widths = torch.stack([draw(0.03, 0.15) for _ in range(4)], dim=1)
    return widths * draw.chance(how.border).unsqueeze(1)


def _within(matrix: Tensor, margins: Tensor) -> Tensor:
    """Adapts affine matrices (B, 2, 3) to the area inside the margins."""
    before, after = margins[:, :2], margins[:, 2:]
    linear = matrix[:, :, :2] / (1 - before - after).unsqueeze(1)
    return torch.cat([linear, matrix[:, :, 2:] - linear @ (before - after).unsqueeze(2)], dim=2)


def _move(images: Tensor, matrix: Tensor, crop: float) -> Tensor:
    height, width = (round(side * crop) for side in images.shape[-2:])
    grid = functional.affine_grid(matrix, [len(images), 1, height, width], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _tone(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    contrast = _each(draw(1 - how.contrast, 1 + how.contrast))
    brightness = _each(draw(-how.brightness, how.brightness))
    gamma = _each(2 ** draw(-how.gamma, how.gamma))
    unit = ((images / 255 - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    return unit**gamma * 255


def _frame(images: Tensor, margins: Tensor, level: Tensor | None = None) -> Tensor:
    """Fills the area outside the margins with a grey level (B,), or with 0.

    Covers half a pixel of the image too, where interpolation blends it with the outside.
    """
    margins = margins + (margins > 0) * 0.5 / min(images.shape[-2:])
    left, top, right, bottom = margins.unbind(dim=1)
    inside = _box(images, top, 1 - bottom, left, 1 - right)
    return torch.where(inside, images, 0.0 if level is None else _each(level))


def _level(draw: Draw) -> Tensor:
    """Draws black, white or a random grey (B,) with equal probability."""
    kind = draw(0, 3).floor()
    return torch.where(kind < 2, 255 * kind, draw(20, 235))


def _degrade(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    """Applies the degradations in order; draws no random numbers for disabled ones."""
    if how.letters:
        images = _some(images, draw.chance(how.letters), degradation.draw_mark, **_mark(draw))
    if how.noise:
        deviation = draw(0, 255 * how.noise)
        images = degradation.add_noise(images, deviation, draw.normal(images.shape[1:]))
    if how.blur:
        chosen, scale = draw.chance(how.blur), draw(0.35, 0.9)
        images = _some(images, chosen, degradation.blur, scale=scale)
    if how.quality:
        chosen, quality = draw.chance(how.quality), draw(20, 90)
        images = _some(images, chosen, degradation.compress, quality=quality)
    return images


def _some(
    images: Tensor, chosen: Tensor, change: Callable[..., Tensor], **values: Tensor
) -> Tensor:
    """Changes only the selected images, which saves CPU time."""
    rows = chosen.nonzero().squeeze(1)
    if not len(rows):
        return images
    changed = change(images[rows], **{name: value[rows] for name, value in values.items()})
    return images.index_copy(0, rows, changed)


def _mark(draw: Draw) -> dict[str, Tensor]:
    """Draws a mark in the upper quarter, at the left or right with equal probability."""
    place, across, down = draw(0, 3), draw(), draw()
    near = 0.05 * across
    across = torch.where(place < 1, across, torch.where(place < 2, near, 1 - near))
    height = draw(1 / 20, 1 / 9)
    down = torch.where(place < 1, down * (0.25 - height) / (1 - height), down)
    level = torch.where(draw.chance(0.25), draw(0, 60), draw(225, 255))
    return {"which": draw(), "height": height, "across": across, "down": down, "level": level}


def _hide(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    zero, one = torch.zeros_like(draw()), torch.ones_like(draw())
    bar = _box(images, zero, draw(0.02, 0.15), zero, one)
    bar = bar & _each(draw.chance(how.top_occlusion))
    top, left = draw(0, 0.8), draw(0, 0.8)
    patch = _box(images, top, top + draw(0.1, 0.3), left, left + draw(0.1, 0.3))
    patch = patch & _each(draw.chance(how.erasing))
    grey = _each(draw(0, 255))
    return torch.where(patch, grey, images.masked_fill(bar, 0.0))


def _box(images: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) whose centre is in a box per image, given as shares of the side."""
    height, width = images.shape[-2:]
    rows = ((torch.arange(height, device=images.device) + 0.5) / height).view(1, 1, -1, 1)
    columns = ((torch.arange(width, device=images.device) + 0.5) / width).view(1, 1, 1, -1)
    top, bottom, left, right = (_each(side) for side in (top, bottom, left, right))
    return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)


def _each(values: Tensor) -> Tensor:
    """Reshapes (B,) to (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
