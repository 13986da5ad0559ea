"""Structure and decoding cost of JPEG, PNG and WebP files.

Each segment costs a decoder more memory and time than its size suggests, and some cost a pass over
all pixels. The limits are far above what real encoders write.
"""

import re
import struct
from dataclasses import dataclass, field

from chestxray import costs
from chestxray.errors import MultiFrameImage, UnreadableImage

# A marker is FF and a byte other than stuffing (00), TEM (01), restart (D0-D7) or fill (FF).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_JPEG_END, _JPEG_SCAN, _JPEG_APP1 = 0xD9, 0xDA, 0xE1
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE, _JPEG_ARITHMETIC = (0xC2, 0xC6, 0xCA, 0xCE), range(0xC9, 0xD0)
# Reserved (ITU T.81, table B.1), or a second start of image: decoders disagree on how to continue.
_JPEG_REFUSED = {*range(0x02, 0xC0), 0xC8, 0xD8, *range(0xF0, 0xFE)}
_MAX_JPEG_SEGMENTS = 1000
_MAX_EXIFS = 4  # editors may add one; decoders parse each
# Real progressive files have 6 to 18 scans.
_MAX_JPEG_SCANS = 40
_BLOCK = 8  # samples per side

_MAX_PNG_CHUNKS = 20_000  # encoders write at least 8 KB of pixels per chunk
# A second profile doubles its cost, a second header changes the mode (PNG 3, 5.6).
_PNG_SINGLE = (b"IHDR", b"PLTE", b"iCCP")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

_MAX_WEBP_CHUNKS = 1000
_WEBP_COSTS = {  # per pixel, per byte
    b"VP8 ": (costs.WEBP_PIXEL, costs.WEBP_BYTE),
    b"VP8L": (costs.WEBP_LOSSLESS_PIXEL, costs.WEBP_LOSSLESS_BYTE),
    b"ALPH": (costs.WEBP_LOSSLESS_PIXEL, costs.WEBP_LOSSLESS_BYTE),
}


@dataclass(frozen=True)
class Structure:
    """End, size and decoding cost of an image, from its headers."""

    end: int | None  # offset behind the image; None if the end is missing
    size: tuple[int, int]  # width and height; (0, 0) if unknown
    seconds: float  # estimated CPU time to decode


def png(data: bytes) -> Structure:
    """Walks the chunks. Raises UnreadableImage, or struct.error for a truncated header."""
    position, single = 8, set[bytes]()
    for number in range(_MAX_PNG_CHUNKS):
        if position + 12 > len(data):
            return Structure(None, (0, 0), 0)
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if kind in single:
            break
        if kind in _PNG_SINGLE:
            single.add(kind)
        if kind == b"IEND":
            size, pixels = _png_pixels(data)
            return Structure(position, size, number * costs.PNG_CHUNK + pixels)
    raise UnreadableImage("the PNG file has too many chunks, or one twice")


def _png_pixels(data: bytes) -> tuple[tuple[int, int], float]:
    """Returns the size and the seconds for the pixels alone."""
    width, height, depth, colour, *_, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    channels = _PNG_CHANNELS.get(colour, 4)
    times = 2 if depth > 8 and channels > 1 else 1  # one pass per byte of a sample
    # The seven interlacing passes have less than twice the rows, each padded to a whole byte.
    rows = 2 * height + 8 if interlaced else height
    count = 2 * rows + width * height * channels * depth // 8
    seconds = rows * costs.PNG_ROW + count * costs.PNG_BYTE
    return (width, height), times * seconds + width * height * costs.PIXEL


@dataclass
class _JpegCost:
    """Counts a decoder's work for a JPEG (ITU T.81, A.1.1 and A.2)."""

    size: tuple[int, int] = (0, 0)
    blocks: dict[int, int] = field(default_factory=dict)  # by component
    passes: int = 0
    frame: int = 0

    def start(self, kind: int, header: bytes) -> None:
        """Adds a frame header. Raises struct.error if it is truncated."""
        height, width, count = struct.unpack_from(">HHB", header, 3)
        parts = list(struct.iter_unpack("BBB", header[8 : 8 + 3 * count]))
        across = max((sampling >> 4 for _, sampling, _ in parts), default=1) or 1
        down = max((sampling & 15 for _, sampling, _ in parts), default=1) or 1
        units = -(-width // (_BLOCK * across)) * -(-height // (_BLOCK * down))
        for component, sampling, _ in parts:
            count = units * max(1, sampling >> 4) * max(1, sampling & 15)
            self.blocks[component] = self.blocks.get(component, 0) + count
        self.size, self.frame = (width, height), kind

    def scan(self, header: bytes) -> None:
        """Adds a scan header."""
        count = header[2] if len(header) > 2 else 0
        for component in header[3 : 3 + 2 * count : 2]:
            self.passes += self.blocks.get(component, sum(self.blocks.values()))

    def seconds(self, count: int) -> float:
        """Estimated seconds for a file of `count` bytes."""
        progressive = self.frame in _JPEG_PROGRESSIVE
        block = costs.JPEG_SMOOTHED_BLOCK if progressive else costs.JPEG_BLOCK
        byte = costs.JPEG_PROGRESSIVE_BYTE if progressive else costs.JPEG_BYTE
        if self.frame in _JPEG_ARITHMETIC:
            byte = costs.JPEG_ARITHMETIC_BYTE
        blocks = sum(self.blocks.values())
        return blocks * block + self.passes * costs.JPEG_PASS + count * byte


def jpeg(data: bytes) -> Structure:
    """Walks the segments. Raises UnreadableImage, or struct.error for a truncated header."""
    position, segments, scans, frames, exifs = 2, 0, 0, 0, 0
    cost = _JpegCost()
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        position, kind = marker.end(), data[marker.end() - 1]
        if kind == _JPEG_END:
            return Structure(position, cost.size, cost.seconds(position))
        segments += 1
        scans += kind == _JPEG_SCAN
        frames += kind in _JPEG_FRAMES
        exifs += kind == _JPEG_APP1 and data.startswith(b"Exif", position + 2)
        if (
            segments > _MAX_JPEG_SEGMENTS
            or scans > _MAX_JPEG_SCANS
            or frames > 1
            or exifs > _MAX_EXIFS
        ):
            raise UnreadableImage("the JPEG file has too many segments or scans")
        if kind in _JPEG_REFUSED:
            raise UnreadableImage(f"the JPEG file has a segment of the reserved kind {kind:02X}")
        length = int.from_bytes(data[position : position + 2], "big")
        if position + max(2, length) > len(data):
            break
        if kind in _JPEG_FRAMES and length >= _BLOCK:
            cost.start(kind, data[position : position + length])
        elif kind == _JPEG_SCAN:
            cost.scan(data[position : position + length])
        position += length
    return Structure(None, cost.size, cost.seconds(len(data)))


def webp(data: bytes) -> Structure:
    """Walks the chunks. Raises MultiFrameImage, UnreadableImage or struct.error."""
    end = 8 + int.from_bytes(data[4:8], "little")
    width, height = _webp_size(data)
    position, seconds = 12, 0.0
    for _ in range(_MAX_WEBP_CHUNKS):
        if position + 8 > min(end, len(data)):
            return Structure(end, (width, height), seconds)
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"ANMF":
            raise MultiFrameImage("the file holds several pictures; send one")
        if kind in _WEBP_COSTS:
            pixel, byte = _WEBP_COSTS[kind]
            seconds += width * height * pixel + length * byte
        position += 8 + length + length % 2
    raise UnreadableImage("the WEBP file has too many chunks")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Reads width and height; the decoder allocates memory for them on reading the header."""
    match data[12:16]:
        case b"VP8X":
            width, height = data[24:27], data[27:30]
            return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
