"""Damages the elements of a DICOM file: their numbers, lengths, types and order."""

import re
import struct
from itertools import islice
from random import Random

from chestxray.dicom import signature

# An element of the groups that describe the picture, little endian, and its two-letter type.
_ELEMENT = re.compile(rb"(?:\x02\0|\x08\0|\x28\0|\xe0\x7f|\xfe\xff)[\0-\xff]{2}([A-Z]{2})?")
_LONG_TYPES = (b"OB", b"OW", b"SQ", b"UN", b"OF", b"UT")
_TELLING = (0, 1, 2, 3, 7, 8, 9, 12, 15, 16, 17, 32, 255, 256, 0x7FFF, 0x8000, 0xFFFF)
_LENGTHS = (0, 1, 2, 8, 0xFFFE, 0xFFFF, 0x10000, 2**31, 2**32 - 2, 2**32 - 1)
_TYPES = (b"US", b"SS", b"UL", b"OB", b"OW", b"SQ", b"UN", b"CS", b"DS", b"IS", b"UI", b"AT", b"FD")
_MOST_ELEMENTS = 200
_SYNTAX_ROOT, _SYNTAX_BYTES = b"1.2.840.10008.1.2", 22
_SYNTAXES = (
    *(b"", b".1", b".2", b".1.99", b".5"),
    *(b".4.50", b".4.51", b".4.57", b".4.70", b".4.80", b".4.90"),
)


def damage(random: Random, data: bytes, elements: re.Pattern[bytes] = _ELEMENT) -> bytes:
    """Changes one of these elements, or repeats it, or takes it away."""
    places = list(islice(elements.finditer(data, signature.START), _MOST_ELEMENTS))
    if not places:
        return data
    at = random.choice(places)
    type_, start = at[1] or b"", at.start()
    wide = not type_ or type_ in _LONG_TYPES
    length_at = at.end() + (2 if type_ in _LONG_TYPES else 0)
    value_at = length_at + (4 if wide else 2)
    match random.randrange(7):
        case 0 | 1:
            return _put(data, value_at, struct.pack("<H", random.choice(_TELLING)))
        case 2:
            length = random.choice(_LENGTHS)
            packed = struct.pack("<I", length) if wide else struct.pack("<H", length & 0xFFFF)
            return _put(data, length_at, packed)
        case 3:
            return _put(data, start + 4, random.choice(_TYPES)) if type_ else data
        case 4:
            end = random.choice(places).start()
            return data[:start] + data[end:] if end > start else data
        case 5:
            return data[:start] + data[start : start + random.randrange(64)] + data[start:]
        case _:
            return _other_syntax(random, data)


def _put(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


def _other_syntax(random: Random, data: bytes) -> bytes:
    """Claims that the pixels are encoded otherwise than they are."""
    place = data.find(_SYNTAX_ROOT, signature.START)
    claimed = _SYNTAX_ROOT + random.choice(_SYNTAXES)
    return _put(data, place, claimed.ljust(_SYNTAX_BYTES, b"\0")) if place > 0 else data
