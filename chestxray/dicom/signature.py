"""Recognises DICOM by its first bytes (PS3.10, section 7.1)."""

import re

PREAMBLE_BYTES = 128
"""What lies before the letters DICM; it may be anything, even the header of another format."""
MARK = b"DICM"
START = PREAMBLE_BYTES + len(MARK)
"""Offset of the first element."""

# Without them a file begins with its first element: of group 2, or of group 8 in files before 1993.
_BARE = re.compile(
    rb"[\x02\x08]\0[\0-\x70]\0(?:[A-Z]{2}|[\0-\xff]{2}\0\0)|\0[\x02\x08]\0[\0-\x70][A-Z]{2}"
)


def has_preamble(data: bytes) -> bool:
    """Whether the file is one of PS3.10."""
    return data[PREAMBLE_BYTES:START] == MARK


def is_dicom(data: bytes) -> bool:
    """Whether the content is DICOM, with the preamble or without."""
    return has_preamble(data) or _BARE.match(data) is not None
