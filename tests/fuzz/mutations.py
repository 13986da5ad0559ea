"""Damages images: at random bytes, and in the structures of their formats.

All randomness comes from the generator that is passed in, so a seed always gives the same input.
"""

import re
import struct
import zlib
from collections.abc import Callable
from itertools import accumulate
from random import Random

from chestxray.dicom import signature
from tests.crafted import chunk
from tests.fuzz import dicom_mutations

LARGEST = 2**17
"""Size of an input: enough for every structure of a format, and fast to decode."""

_MOST_STEPS = 4
_SHARE_OF_LARGE = 1 / 300  # each takes as long as twenty small ones
_TELLING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 2**24, 2**31 - 1, 2**31)
_SIZES = (1, 2, 4)
_PNG_KINDS = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL"),
    *(b"fdAT", b"zTXt", b"iTXt", b"pHYs", b"gAMA", b"sRGB", b"cHRM", b"tEXt"),
)
_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xfe]")
_TIFF_TAGS = (
    *(256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324),
    *(325, 330, 338, 339, 347, 512, 513, 514, 529, 530, 532, 700, 34377, 34665, 34675),
)
_TIFF_GEOMETRY = (256, 257, 258, 277, 278, 284, 322, 323)  # of image, samples, strips, tiles
_TIFF_LISTS = (273, 279, 324, 325)  # offsets and byte counts of strips and tiles
_TIFF_COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34676, 34925, 50000, 50001)

Mutation = Callable[[Random, bytes], bytes]


def mutate(random: Random, corpus: list[bytes], large: list[bytes]) -> bytes:
    """Picks an image of the corpus, rarely a large one, and damages it once or several times."""
    data = random.choice(large if random.random() < _SHARE_OF_LARGE else corpus)
    for _ in range(random.randint(1, _MOST_STEPS)):
        known = _known(data)
        if known is not None and random.random() < 0.6:
            data = known(random, data)
        elif random.random() < 0.1:
            data = _splice(random, data, random.choice(corpus))
        else:
            data = random.choice(_BLIND)(random, data)
    return data[:LARGEST]


def _known(data: bytes) -> Mutation | None:
    if signature.has_preamble(data):
        return dicom_mutations.damage
    for start, mutation in _BY_SIGNATURE.items():
        if data.startswith(start):
            return mutation
    return None


def _number(random: Random) -> int:
    near = random.choice(_TELLING) + random.randint(-1, 1)
    return max(0, random.choice((near, near, random.randrange(2 ** random.randint(1, 32)))))


def _write(data: bytes, place: int, value: int, size: int, order: str) -> bytes:
    """Writes a number into the data, truncated to its size."""
    packed = (value % 256**size).to_bytes(size, "little" if order == "<" else "big")
    return data[:place] + packed + data[place + size :]


def _place(random: Random, data: bytes | bytearray) -> int:
    """A random position, half of the time near the start, where headers are."""
    end = len(data) if random.random() < 0.5 else min(len(data), 64)
    return random.randrange(max(1, end))


def _flip_bits(random: Random, data: bytes) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[_place(random, changed)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _set_bytes(random: Random, data: bytes) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(random.choice((1, 1, 2, 8, 20))):
        changed[_place(random, changed)] = random.randrange(256)
    return bytes(changed)


def _set_number(random: Random, data: bytes) -> bytes:
    place, size = _place(random, data), random.choice(_SIZES)
    return _write(data, place, _number(random), size, random.choice("<>"))


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = _place(random, data)
    return start, min(len(data), start + random.randint(1, 2 ** random.randint(1, 10)))


def _remove(random: Random, data: bytes) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _repeat(random: Random, data: bytes) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 9, 99)) + data[end:]


def _fill(random: Random, data: bytes) -> bytes:
    start, end = _span(random, data)
    return data[:start] + random.choice((b"\0", b"\xff", b"\x80")) * (end - start) + data[end:]


def _insert(random: Random, data: bytes) -> bytes:
    place = _place(random, data)
    return data[:place] + random.randbytes(random.randint(1, 40)) + data[place:]


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


_BLIND: tuple[Mutation, ...] = (
    _flip_bits,
    _set_bytes,
    _set_number,
    _set_number,
    _remove,
    _repeat,
    _fill,
    _insert,
    _cut,
)


def blindly(random: Random, data: bytes) -> bytes:
    return random.choice(_BLIND)(random, data)


def _rearrange(random: Random, parts: list[bytes]) -> None:
    """Repeats, removes or moves a part."""
    at, part = random.randrange(len(parts)), random.choice(parts)
    match random.randrange(3):
        case 0:
            parts[at:at] = [part] * random.choice((1, 1, 3, 30))
        case 1:
            del parts[at]
        case _:
            parts[at], parts[-1 - at] = parts[-1 - at], parts[at]


def _damage_png(random: Random, data: bytes) -> bytes:
    """Changes chunks and fixes their lengths and checksums, so that decoders read them."""
    chunks, position = list[tuple[bytes, bytes]](), 8
    while position + 12 <= len(data) and len(chunks) < 200:
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        chunks.append((data[position + 4 : position + 8], data[position + 8 : end]))
        position = end + 4
    if not chunks:
        return blindly(random, data)
    at = random.randrange(len(chunks))
    kind, body = chunks[at]
    if random.random() < 0.5:
        chunks[at] = (kind, _png_body(random, kind, body))
    elif random.random() < 0.3:
        chunks[at] = (random.choice(_PNG_KINDS), body)
    parts = [chunk(kind, body) for kind, body in chunks]
    if random.random() < 0.4:
        _rearrange(random, parts)
    return data[:8] + b"".join(parts) + data[position:]


def _png_body(random: Random, kind: bytes, body: bytes) -> bytes:
    match kind:
        case b"IHDR":
            place, size = random.choice(((0, 4), (4, 4), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1)))
            values = (_number(random), random.randrange(32))
            return _write(body, place, random.choice(values), size, ">")
        case b"IDAT" | b"fdAT" if random.random() < 0.5:
            try:
                rows = zlib.decompressobj().decompress(body, 2**18)
            except zlib.error:
                return blindly(random, body)
            return zlib.compress(blindly(random, rows), random.choice((0, 1, 6)))
        case _:
            return blindly(random, body)


def _damage_jpeg(random: Random, data: bytes) -> bytes:
    """Changes segments; fixes their lengths half of the time."""
    places = [match.start() for match in _JPEG_MARKER.finditer(data)][:300]
    if len(places) < 2:
        return blindly(random, data)
    parts = [data[start:end] for start, end in zip(places, [*places[1:], None], strict=True)]
    at = random.randrange(len(parts))
    marker, body = parts[at][:2], parts[at][2:]
    if random.random() < 0.6:
        if random.random() < 0.2:
            marker = b"\xff" + bytes([random.randrange(0xC0, 0xFF)])
        body = body[:2] + blindly(random, body[2:])
        if random.random() < 0.5:
            body = _write(body, 0, len(body), 2, ">")
        parts[at] = marker + body
    else:
        _rearrange(random, parts)
    return data[: places[0]] + b"".join(parts)


def _damage_tiff(random: Random, data: bytes) -> bytes:
    """Changes the entries of the first directory or of a linked one."""
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, start)
    except struct.error:
        return blindly(random, data)
    place = start + 2 + 12 * random.randrange(max(1, min(entries, 50)))
    if random.random() < 0.2:
        return _ask_for_more(random, data, order, range(start + 2, start + 2 + 12 * entries, 12))
    match random.randrange(8):
        case 0:
            return _write(data, place, random.choice(_TIFF_TAGS), 2, order)
        case 1:
            return _write(data, place + 2, random.randrange(20), 2, order)
        case 2:
            return _write(data, place + 4, _number(random), 4, order)
        case 3:
            tagged = _write(data, place, 259, 2, order)
            return _write(tagged, place + 8, random.choice(_TIFF_COMPRESSIONS), 2, order)
        case 4:
            return _write(data, start, _number(random), 2, order)
        case 5:
            return _write(data, place + 8, random.randrange(len(data)), 4, order)
        case _:
            value = random.choice((_number(random), random.randrange(40)))
            return _write(data, place + 8, value, random.choice((2, 4)), order)


def _ask_for_more(random: Random, data: bytes, order: str, entries: range) -> bytes:
    """Enlarges image, strips and tiles, and extends their lists, all at once."""
    for place in entries[:50]:
        tag = int.from_bytes(data[place : place + 2], "little" if order == "<" else "big")
        if tag in _TIFF_GEOMETRY and random.random() < 0.4:
            data = _write(data, place + 8, 2 ** random.randrange(16), 2, order)
        elif tag in _TIFF_LISTS and random.random() < 0.4:
            data = _write(data, place + 4, 2 ** random.randrange(18), 4, order)
    return data


def _damage_webp(random: Random, data: bytes) -> bytes:
    """Changes the chunks of a RIFF file; usually fixes their lengths."""
    chunks, position = list[tuple[bytes, bytes]](), 12
    while position + 8 <= len(data) and len(chunks) < 50:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        chunks.append((data[position : position + 4], data[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    if not chunks:
        return blindly(random, data)
    at = random.randrange(len(chunks))
    chunks[at] = (chunks[at][0], blindly(random, chunks[at][1]))
    parts = [kind + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for kind, b in chunks]
    if random.random() < 0.3:
        _rearrange(random, parts)
    body = b"WEBP" + b"".join(parts)
    size = _number(random) % 2**32 if random.random() < 0.1 else len(body)
    return b"RIFF" + struct.pack("<I", size) + body + data[position:]


def _damage_bmp(random: Random, data: bytes) -> bytes:
    """Overwrites a field of the headers."""
    sizes = (4, 2, 2, 4, 4, 4, 4, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4)
    places = list(accumulate(sizes, initial=2))
    at = random.randrange(len(sizes))
    value = random.choice((_number(random), random.randrange(64), -random.randrange(64)))
    return _write(data, places[at], value, sizes[at], "<")


_BY_SIGNATURE: dict[bytes, Mutation] = {
    b"\x89PNG\r\n\x1a\n": _damage_png,
    b"\xff\xd8": _damage_jpeg,
    b"II*\0": _damage_tiff,
    b"MM\0*": _damage_tiff,
    b"RIFF": _damage_webp,
    b"BM": _damage_bmp,
}
