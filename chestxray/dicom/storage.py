"""What is said of an object that is stored, by C-STORE and by STOW-RS. Without pydicom."""

from enum import IntEnum


class Status(IntEnum):
    """Statuses of C-STORE (PS3.4, table B.2-1; PS3.7, annex C), which are the failure reasons of
    STOW-RS as well (PS3.18, I.2.2)."""

    STORED = 0x0000
    DUPLICATE = 0x0111
    """The receiver has the object already."""
    CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    MISMATCH = 0xA900
    """Its data set is another object than its file meta information, or the request, says."""
    COERCED = 0xB000
    ELEMENTS_DISCARDED = 0xB006
    MISMATCH_STORED = 0xB007
    CANNOT_UNDERSTAND = 0xC000


# Attributes of a store instances response (PS3.18, I.2) in the DICOM JSON model.
RETRIEVE_URL = "00081190"
SOP_CLASS, SOP_INSTANCE, FAILURE_REASON = "00081150", "00081155", "00081197"
REFERENCED, FAILED, OTHER_FAILURES = "00081199", "00081198", "0008119A"
"""The sequences of what was stored, of what was not, and of what says not which object it is."""
