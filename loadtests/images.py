"""Test images: radiographs as detectors, archives and phones export them, and invalid files."""

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "web" / "examples"
"""Synthetic radiographs."""
_POSTED = ("clear.jpg", "patches.jpg", "hand.jpg")
"""The filter accepts two and rejects one."""
FRONTAL = ("clear.jpg", "patches.jpg", "opacity.jpg")
_ARCHIVE = (1600, 1250)
"""Width and height in pixels of a typical archive export, 2 megapixels."""
_SEED = 0
_NOISE_SIGMA = 6.0
"""Standard deviation of the noise, in grey levels; without noise the files would be too small."""


def image_pool(folder: str = "") -> list[bytes]:
    """Returns the files of a folder, or synthetic images that are the same in every process.

    Raises ValueError if the folder has no files.
    """
    if not folder:
        return [image for name in _POSTED for image in format_variants(EXAMPLES / name)]
    paths = sorted(path for path in Path(folder).rglob("*.*") if path.is_file())
    if not paths:
        raise ValueError(f"{folder} has no images")
    return [path.read_bytes() for path in paths]


def archive_pool(count: int = 12) -> list[bytes]:
    """Returns different frontal chest radiographs as archives export them: 2-megapixel JPEGs."""
    greys = [Image.open(EXAMPLES / name).convert("L") for name in FRONTAL]
    return [
        _file(_with_noise(greys[seed % len(greys)], _ARCHIVE, seed), "JPEG", quality=90)
        for seed in range(count)
    ]


def format_variants(example: Path) -> list[bytes]:
    """Returns one image in the sizes, formats and bit depths of real files."""
    grey = Image.open(example).convert("L")
    return [
        _file(_with_noise(grey, (4000, 3000)), "JPEG", quality=90),  # a 12-megapixel phone
        _file(_with_noise(grey, _ARCHIVE), "JPEG", quality=90),
        _file(_with_noise(grey, (1024, 1024)), "PNG"),
        _file(_with_16_bits(_with_noise(grey, (1024, 1024))), "PNG"),  # 16 bits, as from a detector
        example.read_bytes(),
        _file(grey.resize((128, 128)), "JPEG", quality=80),  # a thumbnail
    ]


def _with_noise(grey: Image.Image, size: tuple[int, int], seed: int = _SEED) -> Image.Image:
    generator = np.random.default_rng(seed)
    pixels = np.asarray(grey.resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = generator.normal(0, _NOISE_SIGMA, (64, 64)).astype(np.int16)
    rows, columns = -(-size[1] // 64), -(-size[0] // 64)
    pixels = pixels + np.tile(noise, (rows, columns))[: size[1], : size[0]]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _with_16_bits(grey: Image.Image) -> Image.Image:
    return Image.fromarray(
        np.asarray(grey).astype(np.uint16) * 16
    )  # 12 significant bits, as is usual


def _file(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _invalid_files() -> dict[str, bytes]:
    whole = (EXAMPLES / "clear.jpg").read_bytes()
    return {
        "empty": b"",
        "text": b"not an image at all",
        "cut off": whole[: len(whole) // 3],
        "noise": random.Random(_SEED).randbytes(50_000),
        "damaged": whole[:600] + bytes(600) + whole[1200:],
    }


INVALID_FILES = _invalid_files()
"""Invalid files by name. The service must reject or decode each, without any failure."""
