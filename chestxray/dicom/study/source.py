"""What result objects take over from the radiograph that they belong to.

highdicom reads attributes of the source that real files lack or have in any character set. So this
copies what it needs, as text, and adds what the standard wants to be there even if empty (type 2).
"""

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.valuerep import VR, validate_value

from chestxray.dicom.dataset import inflated
from chestxray.errors import UnreadableImage

UTF_8 = "ISO_IR 192"

_IDENTIFYING = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_MAY_BE_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
"""Type 2 in the modules Patient and General Study (PS3.3, C.7.1.1 and C.7.2.1)."""
_MAY_BE_ABSENT = (
    "IssuerOfPatientID",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDescription",
    "Laterality",
    "ImageLaterality",
    "BodyPartExamined",
    "InstanceNumber",
    "PatientOrientation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "PhotometricInterpretation",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PresentationLUTShape",
    "BitsStored",
    "PixelRepresentation",
)


_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_ASSUMED: dict[str, str | int] = {"Modality": "OT", "SamplesPerPixel": 1}
"""What highdicom asks of a source, if that does not say it; it is written into no object."""


def read(data: bytes, *, max_bytes: int) -> Dataset:
    """Returns a data set with only these elements, in UTF-8, and without pixels.

    Raises UnreadableImage if the file does not say to which study and series it belongs.
    """
    names = (*_IDENTIFYING, *_MAY_BE_EMPTY, *_MAY_BE_ABSENT, *_ASSUMED, "Rows", "Columns")
    found = pydicom.dcmread(
        io.BytesIO(inflated(data, max_bytes)),
        force=True,
        stop_before_pixels=True,
        specific_tags=[*names, "SpecificCharacterSet"],
    )
    if missing := [name for name in _IDENTIFYING if not found.get(name)]:
        raise UnreadableImage(
            f"the DICOM file does not say {', '.join(missing)}, so no result can refer to it"
        )
    source = Dataset()
    for name in names:
        if name in _IDENTIFYING or _is_valid(found, name):
            setattr(source, name, found.get(name))
        elif name in _MAY_BE_EMPTY:
            setattr(source, name, "")
        elif name in _ASSUMED:
            setattr(source, name, _ASSUMED[name])
    source.SpecificCharacterSet = UTF_8
    _, little_endian = found.original_encoding
    for name in _TABLES:
        for item in source.get(name) or []:
            _write_as_words(item, little_endian=little_endian is not False)
    for item in source.get("VOILUTSequence") or []:
        _widen(item)
    return source


def _is_valid(found: Dataset, name: str) -> bool:
    """Whether an element has a value, and one that its type allows."""
    if found.get(name) in (None, ""):
        return False
    try:
        validate_value(found[name].VR, found[name].value, RAISE)
    except ValueError:
        return False
    return True


def _write_as_words(item: Dataset, *, little_endian: bool) -> None:
    """Turns the entries of a lookup table, numbers or words, into words of a little endian file."""
    element = item["LUTData"]
    entries: Any = element.value
    if element.VR == VR.OW:
        entries = np.frombuffer(entries, "<u2" if little_endian else ">u2")
    item.add_new("LUTData", VR.OW, np.asarray(entries).astype("<u2").tobytes())


def _widen(item: Dataset) -> None:
    """Gives a VOI LUT 16 bits: a presentation state has 8 or 16 (PS3.3, C.11.8), an image any."""
    count, first, bits = item.LUTDescriptor
    if 8 < bits < 16:
        entries = np.frombuffer(item.LUTData, "<u2") << (16 - bits)
        item.LUTData = entries.astype("<u2").tobytes()
        item.LUTDescriptor = [count, first, 16]
