"""Changes that images undergo in practice; each writes a file as a program or person would.

Harmless changes leave an image that a radiologist would read the same; the service must reject the
others. Each takes an image of mode L and a generator, and returns the bytes of a file.
"""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from training.datasets import derived

Perturbation = Callable[[Image.Image, np.random.Generator], bytes]
_Values = npt.NDArray[np.float64]

_PAGE = (1240, 1754)
"""A4 at 150 dpi."""
_SCREEN = (1920, 1080)
_MARKS = ("R", "L", "PORTABLE", "AP 12:45", "SUPINE")


def _file(image: Image.Image, format_: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **how)
    return file.getvalue()


def _saved(image: Image.Image, _: np.random.Generator, *, format_: str, **how: Any) -> bytes:
    return _file(image, format_, **how)


def _deep(image: Image.Image, _: np.random.Generator, *, format_: str) -> bytes:
    values = np.asarray(image).astype(np.uint16) * np.uint16(16) + np.uint16(500)
    return _file(Image.fromarray(values), format_)


def _sized(image: Image.Image, _: np.random.Generator, *, side: int) -> bytes:
    scale = side / min(image.size)
    size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
    return _file(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))


def _toned(
    image: Image.Image, _: np.random.Generator, *, tone: Callable[[_Values], _Values]
) -> bytes:
    values = tone(np.asarray(image) / 255)
    return _file(Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8)))


def _windowed(low: float, high: float) -> Callable[[_Values], _Values]:
    """Windows between two quantiles of the image's values; clips the rest."""

    def tone(values: _Values) -> _Values:
        darkest, brightest = np.quantile(values, (low, high))
        return np.asarray((values - darkest) / max(brightest - darkest, 1 / 255))

    return tone


def _bordered(image: Image.Image, _: np.random.Generator, *, share: float, level: int) -> bytes:
    return _file(ImageOps.expand(image, round(share * max(image.size)), level))


def _marked(image: Image.Image, generator: np.random.Generator) -> bytes:
    """Letters in a corner, as added by technicians and scanners."""
    marked = image.copy()
    size = max(10, round(image.width / generator.uniform(10, 20)))
    place = generator.uniform(0.02, 0.1, 2) * image.size
    if generator.random() < 0.5:
        place[0] = 0.75 * image.width
    text = str(generator.choice(_MARKS))
    ImageDraw.Draw(marked).text(tuple(place), text, fill=255, font_size=size)
    return _file(marked)


def _on_page(image: Image.Image, generator: np.random.Generator) -> bytes:
    page = Image.new("L", _PAGE, 255)
    pen = ImageDraw.Draw(page)
    for line in range(12):
        pen.text((120, 150 + 25 * line), "Report of an examination of nobody " * 4, fill=0)
    side = int(generator.integers(500, 900))
    page.paste(image.resize((side, side)), (int(generator.integers(100, 300)), 600))
    return _file(page, "JPEG", quality=90)


def _in_viewer(image: Image.Image, generator: np.random.Generator) -> bytes:
    screen = Image.new("L", _SCREEN, 0)
    pen = ImageDraw.Draw(screen)
    pen.rectangle([0, 0, 1920, 85], fill=40)
    pen.rectangle([0, 0, 287, 1080], fill=40)
    for button in range(18):
        pen.rectangle([308 + 60 * button, 20, 348 + 60 * button, 60], fill=95)
    pen.text((303, 100), "NOBODY  CHEST PA  W 2048 L 1024", fill=230)
    side = int(generator.integers(700, 900))
    screen.paste(image.resize((side, side)), (int(generator.integers(500, 900)), 150))
    return _file(screen)


def _turned(image: Image.Image, generator: np.random.Generator) -> bytes:
    degrees = generator.choice([-3, 3])
    return _file(image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=0))


def _made(image: Image.Image, generator: np.random.Generator, *, label: str) -> bytes:
    square = np.asarray(image.resize((224, 224)))
    return _file(Image.fromarray(derived.MAKERS[label](square, square[:, ::-1], generator)))


HARMLESS: dict[str, Perturbation] = {
    "PNG of the same pixels": partial(_saved, format_="PNG"),
    "TIFF of the same pixels": partial(_saved, format_="TIFF"),
    "WebP of the same pixels": partial(_saved, format_="WEBP", lossless=True),
    "BMP of the same pixels": partial(_saved, format_="BMP"),
    "12 bits in a 16-bit PNG": partial(_deep, format_="PNG"),
    "12 bits in a 16-bit TIFF": partial(_deep, format_="TIFF"),
    **{f"JPEG, quality {q}": partial(_saved, format_="JPEG", quality=q) for q in (90, 70, 50)},
    "WebP, quality 60": partial(_saved, format_="WEBP", quality=60),
    **{f"shorter side {n} px": partial(_sized, side=n) for n in (2000, 1024, 224, 192, 160)},
    "window of 2% to 98%": partial(_toned, tone=_windowed(0.02, 0.98)),
    "window of 5% to 95%": partial(_toned, tone=_windowed(0.05, 0.95)),
    "low contrast": partial(_toned, tone=lambda v: 0.25 + 0.5 * v),
    "gamma 0.8": partial(_toned, tone=lambda v: v**0.8),
    "gamma 1.25": partial(_toned, tone=lambda v: v**1.25),
    "black border": partial(_bordered, share=0.08, level=0),
    "white border": partial(_bordered, share=0.08, level=255),
    "letters": _marked,
    "on a page": _on_page,
    "in a viewer's window": _in_viewer,
}
"""Changes that must not alter a result."""

OTHER: dict[str, Perturbation] = {
    **{f"shorter side {n} px": partial(_sized, side=n) for n in (128, 100, 64)},
    "mirrored": lambda image, _: _file(ImageOps.mirror(image)),
    "turned by 3 degrees": _turned,
    "negative": lambda image, _: _file(ImageOps.invert(image)),
    "photograph of a screen": partial(_made, label=derived.PHOTO_OF_SCREEN),
    "two films": partial(_made, label=derived.TWO_FILMS),
    "part of a page": partial(_made, label=derived.PART_OF_PAGE),
}
"""Changes that are rejected or reported separately: images too small, or rotated."""
