"""Random variations of a batch, drawn and applied on its device."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


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
    matrix = _motion(how, draw)
    varied = _tone(_move(images.float(), matrix, how.crop), how, draw)
    moved = _move(regions.float(), matrix, how.crop) if regions.shape[1] else regions
    return _hide(varied, how, draw), moved


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


def _move(images: Tensor, matrix: Tensor, crop: float) -> Tensor:
    height, width = (round(side * crop) for side in images.shape[-2:])
    grid = functional.affine_grid(matrix, [len(images), 1, height, width], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _tone(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    def each(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)

    contrast = each(draw(1 - how.contrast, 1 + how.contrast))
    brightness = each(draw(-how.brightness, how.brightness))
    gamma = each(2 ** draw(-how.gamma, how.gamma))
    unit = ((images / 255 - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    return unit**gamma * 255


def _hide(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    height, width = images.shape[-2:]
    rows = ((torch.arange(height, device=images.device) + 0.5) / height).view(1, -1, 1)
    columns = ((torch.arange(width, device=images.device) + 0.5) / width).view(1, 1, -1)

    def box(top: Tensor, bottom: Tensor, left: Tensor, right: Tensor, chosen: Tensor) -> Tensor:
        top, bottom, left, right = (side.view(-1, 1, 1) for side in (top, bottom, left, right))
        inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        return (inside & chosen.view(-1, 1, 1)).unsqueeze(1)  # (B, 1, H, W)

    zero, one = torch.zeros_like(draw()), torch.ones_like(draw())
    bar = box(zero, draw(0.02, 0.15), zero, one, draw.chance(how.top_occlusion))
    top, left = draw(0, 0.8), draw(0, 0.8)
    patch = box(top, top + draw(0.1, 0.3), left, left + draw(0.1, 0.3), draw.chance(how.erasing))
    grey = draw(0, 255).view(-1, 1, 1, 1)
    return torch.where(patch, grey, images.masked_fill(bar, 0.0))
