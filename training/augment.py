"""Random variations of a batch, drawn and applied on its device."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training import degradation


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a training image may be from its original; evaluation uses none of it."""

    flip: bool = False  # left to right
    rotation: float = 0.0  # degrees, either way
    zoom: tuple[float, float] = (1.0, 1.0)  # above 1 is closer, which hides the borders
    shift: float = 0.0  # share of the side, either way
    crop: float = 1.0  # side of a window at the image's own scale, as a share; faster, no borders
    brightness: float = 0.0  # share of the full range, either way
    contrast: float = 0.0  # factor in 1 +- this
    gamma: float = 0.0  # exponent in 2 ** +- this
    top_occlusion: float = 0.0  # probability; letters and arrows sit there
    erasing: float = 0.0  # probability of one grey rectangle anywhere
    border: float = 0.0  # probability of a frame of one grey level, 3% to 15% of each side
    letters: float = 0.0  # probability of a mark burned in, bright or dark, at the top or a side
    noise: float = 0.0  # largest standard deviation per pixel, as a share of the full range
    blur: float = 0.0  # probability of being shown as from a thumbnail, 0.35 to 0.9 of the side
    quality: float = 0.0  # probability of JPEG's losses, of quality 20 to 90


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Turns uint8 (B, 1, H, W) into float32 (B, 1, crop * H, crop * W), still in [0, 255]."""
    return augment_together(images, images[:, :0], how, generator)[0]


def augment_together(
    images: Tensor, regions: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Varies images as `augment` does, and moves regions (B, C, h, w) with them.

    Regions come back as float32 of crop times their size; 0 is where the picture had ended.
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
    """Uniform random numbers, one per image of the batch."""

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
    """Draws affine matrices (B, 2, 3) from the places of the result to those of the picture."""
    angle = draw(-how.rotation, how.rotation) * math.pi / 180
    scale = how.crop / draw(*how.zoom)
    mirror = 1 - 2 * (draw.chance(0.5 if how.flip else 0.0)).float()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    reach = 2 * how.shift + 1 - how.crop  # the whole side is 2 long
    shift_x, shift_y = draw(-reach, reach), draw(-reach, reach)
    rows = [cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _margins(how: Augmentation, draw: Draw) -> Tensor:
    """Draws left, top, right and bottom of frames (B, 4) as shares of the side; 0 is no frame."""
    widths = torch.stack([draw(0.03, 0.15) for _ in range(4)], dim=1)
    return widths * draw.chance(how.border).unsqueeze(1)


def _within(matrix: Tensor, margins: Tensor) -> Tensor:
    """Affine matrices (B, 2, 3) that show the same as these in what the margins leave."""
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
    """Fills what is outside the margins with a grey level (B,), or with 0.

    It covers half a pixel of the film, where that fades into what is beyond it.
    """
    margins = margins + (margins > 0) * 0.5 / min(images.shape[-2:])
    left, top, right, bottom = margins.unbind(dim=1)
    inside = _box(images, top, 1 - bottom, left, 1 - right)
    return torch.where(inside, images, 0.0 if level is None else _each(level))


def _level(draw: Draw) -> Tensor:
    """Draws black, white or a grey (B,), each as often."""
    kind = draw(0, 3).floor()
    return torch.where(kind < 2, 255 * kind, draw(20, 235))


def _degrade(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    """Does what happens on the way, in its order; draws no numbers for what is switched off."""
    if how.letters:
        images = _some(images, draw.chance(how.letters), degradation.write, **_mark(draw))
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
    """Changes the chosen films only, which costs a CPU that much less, each with its values."""
    rows = chosen.nonzero().squeeze(1)
    if not len(rows):
        return images
    changed = change(images[rows], **{name: value[rows] for name, value in values.items()})
    return images.index_copy(0, rows, changed)


def _mark(draw: Draw) -> dict[str, Tensor]:
    """Draws a mark in the upper quarter, at the left or at the right, each as often."""
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
    """Which pixels have their middle in a box per film, in shares of the side; (B, 1, H, W)."""
    height, width = images.shape[-2:]
    rows = ((torch.arange(height, device=images.device) + 0.5) / height).view(1, 1, -1, 1)
    columns = ((torch.arange(width, device=images.device) + 0.5) / width).view(1, 1, 1, -1)
    top, bottom, left, right = (_each(side) for side in (top, bottom, left, right))
    return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)


def _each(values: Tensor) -> Tensor:
    """One value per film (B,) as (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
