"""Damaged headers of DICOM files, for the decoder's reading of which object a file is."""

import re
import struct
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np

from chestxray.dicom import signature
from tests import dicoms
from tests.fuzz import dicom_mutations
from tests.fuzz.mutations import blindly

_MOST_STEPS = 4
_PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
_IN_A_STUDY = {
    "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.1",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.2",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.3",
    "AccessionNumber": "A1",
    "StudyDate": "20261127",
    "PatientName": "Silva^Maria",
    "Manufacturer": "Acme",
}
_SETS = ("ISO_IR 100", "ISO_IR 144", "ISO_IR 192", "GB18030", "ISO_IR 166")
# An element of a group that a header has before its pixels, and its two-letter type.
_ELEMENT = re.compile(rb"[\x02\x08\x10\x20]\0[\0-\xff]{2}([A-Z]{2})?")
_VALUES = (
    *(b"", b" ", b"\0\0", b"1..2", b"1.2\\3.4", b"01.02", 65 * b"1", b"SILVA^MARIA", b"20261399"),
    *(b"\x1b$B", b"\x1b\x1b\x1b", b"\xff\xfe\xfd", b"\xc3\x28", "\u202e\ufffd".encode(), b"<b>&"),
    *(b"ISO_IR 192", b"GB18030", b"ISO 2022 IR 87\\ISO 2022 IR 149", b"utf_7 ", b"../../x"),
    *(b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2 ", b"1.2.840.10008.1.2"),
    *(4000 * b"A", 4000 * b"\\", 4000 * b"\x1b("),
)


def damaged(random: Random) -> bytes:
    """Picks a small film of a study and damages its header once or several times."""
    data = random.choice(_films())
    for _ in range(random.randint(1, _MOST_STEPS)):
        data = random.choice(_DAMAGES)(random, data)
    return data


@cache
def _films() -> tuple[bytes, ...]:
    native = ("implicit VR little endian", "explicit VR big endian", "deflated")
    made = [
        dicoms.LOSSLESS[name](dicoms.dataset(_PIXELS, **_IN_A_STUDY, SpecificCharacterSet=each))
        for name in ("explicit VR little endian", *native)
        for each in _SETS
    ]
    return (*made, made[0][signature.START :])


def _elements(random: Random, data: bytes) -> bytes:
    return dicom_mutations.damage(random, data, _ELEMENT)


def _value(random: Random, data: bytes) -> bytes:
    """Gives an element another value, with its length."""
    places = list(_ELEMENT.finditer(data, signature.START))
    if not places:
        return data
    at, value = random.choice(places), random.choice(_VALUES)
    layout = "<H" if at[1] else "<I"
    start = at.end() + struct.calcsize(layout)
    if start > len(data):
        return data
    (length,) = struct.unpack_from(layout, data, at.end())
    end = start + length if length < len(data) else start
    return data[: at.end()] + struct.pack(layout, len(value)) + value + data[end:]


def _anywhere(random: Random, data: bytes) -> bytes:
    """Damages the bytes after the preamble, which says nothing."""
    return data[: signature.START] + blindly(random, data[signature.START :])


_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (_elements, _value, _value, _anywhere)
