"""Variant of a JPEG file (ITU T.81, table B.1; T.87 for JPEG-LS).

Only 8-bit baseline and progressive files are supported.
"""

import re
from dataclasses import dataclass

from chestxray.errors import UnsupportedVariant

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_NO_FRAME = (0xD9, 0xDA)  # end of image, start of scan
_MAX_SEGMENTS = 1000
_KINDS = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "lossless JPEG",
    0xC9: "arithmetic-coded JPEG",
    0xCA: "arithmetic-coded JPEG",
    0xCB: "lossless JPEG",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "lossless JPEG",
    0xF7: "JPEG-LS",
}
_FRAMES = {0xC0, 0xC1, 0xC2, *_KINDS}


@dataclass(frozen=True)
class Frame:
    """Bits per sample and number of components, from a frame header."""

    bits: int
    components: int


def frame(data: bytes) -> Frame | None:
    """Reads the first frame header; None if there is none. Raises UnsupportedVariant."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found[1][0] in _NO_FRAME:
            return None
        position, kind = found.end(), found[1][0]
        if kind in _FRAMES:
            header = data[position : position + 8]
            return _read(header, _KINDS.get(kind)) if len(header) == 8 else None
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return None


def _read(header: bytes, refused: str | None) -> Frame:
    bits, components = header[2], header[7]
    named = refused or (f"{bits}-bit JPEG" if bits != 8 else None)
    if named:
        raise UnsupportedVariant(
            f"the file is {named}, which is not supported; save it as 8-bit baseline JPEG, or as "
            "16-bit PNG or TIFF",
            found=named,
        )
    return Frame(bits, components)
