"""Synthetic radiographs drawn by code; the repository contains no patient image."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def phantom(width: int, height: int) -> np.ndarray:
    """A frontal chest in outline, uint8 (height, width): dark lungs, bright spine, heart, ribs."""
    body = Image.new("L", (width, height), 8)
    draw = ImageDraw.Draw(body)

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [left * width, top * height, right * width, bottom * height]

    draw.ellipse(box(0.04, 0.1, 0.96, 1.3), fill=120)  # trunk
    draw.rectangle(box(0.4, 0.0, 0.6, 0.2), fill=130)  # neck
    draw.ellipse(box(0.14, 0.16, 0.46, 0.82), fill=50)  # lungs
    draw.ellipse(box(0.54, 0.16, 0.86, 0.82), fill=50)
    for rib in range(7):
        top = 0.18 + 0.085 * rib
        for left, right in ((0.12, 0.46), (0.54, 0.88)):
            draw.arc(box(left, top, right, top + 0.16), 180, 360, fill=95, width=width // 60)
    draw.rectangle(box(0.46, 0.05, 0.54, 1.0), fill=185)  # spine
    draw.ellipse(box(0.42, 0.45, 0.74, 0.85), fill=165)  # heart
    draw.ellipse(box(0.1, 0.72, 0.48, 1.1), fill=175)  # diaphragm
    draw.ellipse(box(0.52, 0.75, 0.9, 1.1), fill=170)
    soft = np.asarray(body.filter(ImageFilter.GaussianBlur(width / 70)), np.float64)
    grain = np.random.default_rng(0).normal(0, 3, soft.shape)
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def encode(pixels: np.ndarray, format_: str, *, mode: str | None = None, **options: Any) -> bytes:
    """Writes pixels in a format that Pillow knows, in another mode where one is named."""
    image = Image.fromarray(pixels)
    image = image.convert(mode) if mode else image
    image.info.pop("icc_profile", None)  # Pillow's own of LAB, with the time of its making
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()
