"""Decoding: the most bytes of memory per pixel in every mode, including the file.

For the largest image that is accepted, this is below a decoder's memory limit.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chestxray.confinement import DEFAULT_PROCESS_LIMITS
from chestxray.limits import DEFAULT_LIMITS
from tests import tiffs
from tests.phantoms import encode
from tests.unit.chestxray.test_png import RGB, png16

SIDE = 2000
NOISE = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), np.uint8)
DEEP = NOISE.astype(np.uint16) << 8
_SLACK_BYTES = 8 * 2**20  # whatever the size
WHOLE_FLOATS = 2**23
"""In pixels; float images above this size are reduced while they are read."""

MEASURE = """
import sys
from chestxray.images import decode
data = open(sys.argv[1], "rb").read()
def status(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))
before = status("VmRSS") - len(data)
open("/proc/self/clear_refs", "w").write("5")
decode(data)
print(status("VmHWM") - before)
"""

# What a pixel was measured to take, rounded up: Pillow's four bytes for colours, the file's own.
BYTES_OF_A_PIXEL: dict[str, tuple[int, Callable[[], bytes]]] = {
    "PNG grey": (4, lambda: encode(NOISE, "PNG", compress_level=1)),
    "PNG palette": (6, lambda: encode(NOISE, "PNG", mode="P", compress_level=1)),
    "PNG RGB": (8, lambda: encode(NOISE, "PNG", mode="RGB", compress_level=1)),
    "PNG 16-bit grey": (6, lambda: encode(DEEP, "PNG", compress_level=1)),
    "PNG 16-bit RGB": (15, lambda: png16(np.dstack([DEEP] * 3), RGB)),
    "JPEG progressive CMYK": (10, lambda: encode(NOISE, "JPEG", mode="CMYK", progressive=True)),
    "WebP, of three quarters of the pixels": (
        14,
        lambda: encode(NOISE[: SIDE * 3 // 4], "WEBP", method=0),
    ),
    "BMP RGB": (10, lambda: encode(NOISE, "BMP", mode="RGB")),
    "TIFF grey": (5, lambda: encode(NOISE, "TIFF")),
    "TIFF RGB": (5, lambda: encode(NOISE, "TIFF", mode="RGB")),
    "TIFF CMYK, LZW": (15, lambda: encode(NOISE, "TIFF", mode="CMYK", compression="tiff_lzw")),
    "TIFF CIELAB": (13, lambda: encode(np.dstack([NOISE] * 3), "TIFF", mode="LAB")),
    "TIFF 16-bit": (6, lambda: encode(DEEP, "TIFF")),
    "TIFF 16-bit, LZW in one strip": (8, lambda: tiff_of_one_strip(DEEP[..., None], tiffs.LZW)),
    "TIFF 16-bit RGB in one strip": (
        10,
        lambda: tiff_of_one_strip(np.dstack([DEEP] * 3), tiffs.NONE),
    ),
    "TIFF 32-bit float": (20, lambda: encode(NOISE.astype(np.float32), "TIFF")),
    "TIFF 64-bit float": (27, lambda: tiff_of_one_strip(NOISE[..., None] / 255, tiffs.NONE)),
}


def tiff_of_one_strip(samples: np.ndarray, compression: int) -> bytes:
    return tiffs.tiff(
        samples,
        bits=8 * samples.itemsize,
        sample_format=tiffs.FLOAT if samples.dtype.kind == "f" else 1,
        photometric=2 if samples.shape[2] == 3 else 1,
        compression=compression,
        rows=SIDE,
    )


@pytest.mark.parametrize("name", BYTES_OF_A_PIXEL)
def test_decoding_memory_of_each_mode_is_below_its_stated_maximum(
    name: str, tmp_path: Path
) -> None:
    stated, make = BYTES_OF_A_PIXEL[name]
    path = tmp_path / "picture"
    path.write_bytes(make())

    run = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, check=True)

    assert int(run.stdout) - _SLACK_BYTES < stated * SIDE * SIDE
    most = WHOLE_FLOATS if "float" in name else DEFAULT_LIMITS.max_pixels
    assert stated * most < DEFAULT_PROCESS_LIMITS.memory
