"""Image degradations for float32 batches (B, 1, H, W) in [0, 255].

Deterministic: every function takes its parameters as tensors, one value per image, on the batch's
device.
"""

import math
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

_MARKS = (
    *("R", "L", "AP", "PA", "RA", "LT", "ERECT", "SUPINE", "MOBILE", "PORTABLE", "SITTING"),
    *("D 12", "07:35", "16:20", "AP 9:45", "ID 4183", "K 62"),
)
_LETTER_HEIGHT = 24  # pixels: the largest letters (1/9 of 224)
_REACH = 4  # pixels: 2.8 times the largest sigma, for a scale of 0.35
_BLOCK = 8
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""ITU-T Recommendation T.81, table K.1."""


def blur(images: Tensor, scale: Tensor) -> Tensor:
    """Simulates downscaling to `scale` (B,) times the side and upscaling again.

    A Gaussian per image, because resizing needs one size for a batch. Its sigma is 1 / (2 * scale)
    pixels: the closest to Pillow's bicubic downscaling followed by the service's bilinear
    upscaling, for each scale from 0.35 to 0.9.
    """
    steps = torch.arange(-_REACH, _REACH + 1, device=images.device)
    kernels = torch.softmax(-0.5 * (2 * scale.unsqueeze(1) * steps) ** 2, dim=1)  # (B, K)
    count = len(images)
    padded = functional.pad(images.transpose(0, 1), [_REACH] * 4, mode="replicate")
    across = functional.conv2d(padded, kernels.view(count, 1, 1, -1), groups=count)
    down = functional.conv2d(across, kernels.view(count, 1, -1, 1), groups=count)
    return down.transpose(0, 1)


def add_noise(images: Tensor, deviation: Tensor, noise: Tensor) -> Tensor:
    """Adds standard normal `noise` (B, 1, H, W) times `deviation` (B,), in grey levels."""
    return (images + deviation.view(-1, 1, 1, 1) * noise).clamp(0, 255)


def draw_mark(
    images: Tensor, *, which: Tensor, height: Tensor, across: Tensor, down: Tensor, level: Tensor
) -> Tensor:
    """Draws one mark into each image, in letters of `height`, as a share of the side.

    `which` in [0, 1) selects the mark. `across` and `down` in [0, 1] position it between left and
    right, and top and bottom. All are (B,), as is the grey level.
    """
    bank, aspects = (table.to(images.device) for table in _bank())
    chosen = (which * len(bank)).long()
    width = height * aspects[chosen]
    left, top = across * (1 - width), down * (1 - height)
    canvas = height * bank.shape[-1] / bank.shape[-2]  # wider than the mark, empty beyond it
    zero = torch.zeros_like(height)
    # From image coordinates, which span -1 to 1, to those of the canvas.
    rows = [
        *(1 / canvas, zero, (1 - 2 * left) / canvas - 1),
        *(zero, 1 / height, (1 - 2 * top) / height - 1),
    ]
    matrix = torch.stack(rows, dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    ink = functional.grid_sample(bank[chosen], grid, align_corners=False)
    return images + ink * (level.view(-1, 1, 1, 1) - images)


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Compresses images as JPEG of `quality` (B,), 1 to 100, and decodes them again."""
    height, width = images.shape[-2:]
    padding = [0, -width % _BLOCK, 0, -height % _BLOCK]
    padded = functional.pad(images.round() - 128, padding, mode="replicate")
    blocks = functional.pixel_unshuffle(padded, _BLOCK)  # (B, 64, H / 8, W / 8)
    transform = _cosines().to(images.device)
    steps = _steps(quality).unsqueeze(2)  # (B, 64, 1)
    kept = ((transform @ blocks.flatten(2)) / steps).round() * steps
    restored = (transform.T @ kept).view_as(blocks)
    levels = functional.pixel_shuffle(restored, _BLOCK)[..., :height, :width]
    return (levels + 128).round().clamp(0, 255)


def _steps(quality: Tensor) -> Tensor:
    """Quantisation steps (B, 64), scaled as in libjpeg's jcparam.c."""
    table = torch.tensor(_LUMINANCE, dtype=torch.float32, device=quality.device).view(1, -1)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()
    return ((table * percent.unsqueeze(1) + 50) / 100).floor().clamp(1, 255)


@cache
def _cosines() -> Tensor:
    """The DCT of a block (T.81, A.3.3) as a matrix (64, 64), rows and columns both in row order."""
    place = torch.arange(_BLOCK, dtype=torch.float64)
    waves = torch.cos(math.pi / _BLOCK * place[:, None] * (place + 0.5)) * math.sqrt(2 / _BLOCK)
    waves[0] /= math.sqrt(2)
    return torch.kron(waves, waves).float()


@cache
def _bank() -> tuple[Tensor, Tensor]:
    """The marks as ink (N, 1, h, w) in [0, 1], left-aligned on their canvas, and width / h."""
    font = ImageFont.load_default(1.4 * _LETTER_HEIGHT)  # its capitals are 0.7 of its size
    widths = [font.getlength(mark) for mark in _MARKS]
    canvases = []
    for mark in _MARKS:
        canvas = Image.new("L", (math.ceil(max(widths)), _LETTER_HEIGHT))
        ImageDraw.Draw(canvas).text((0, _LETTER_HEIGHT), mark, 255, font, anchor="ls")
        canvases.append(np.asarray(canvas, np.float32) / 255)
    return torch.from_numpy(np.stack(canvases)).unsqueeze(1), torch.tensor(widths) / _LETTER_HEIGHT
