"""Reads from the header of a DICOM file which object it is."""

import io

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from chestxray.dicom import examination, signature
from chestxray.dicom.dataset import inflated
from chestxray.dicom.instance import Instance, Kind
from chestxray.errors import RejectedImage, UnreadableImage
from chestxray.limits import DEFAULT_LIMITS, Limits

_ELEMENTS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Manufacturer")


def identify(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Instance:
    """Returns the identity of the object. Raises RejectedImage, also where a UID is missing."""
    if not signature.is_dicom(data):
        raise UnreadableImage("the object is not a DICOM file (PS3.10)")
    try:
        return _instance(_header(data, limits), limits)
    except (RejectedImage, MemoryError):
        raise
    except Exception as error:  # pydicom raises almost any exception on crafted input
        raise UnreadableImage(
            "the DICOM file does not say which object of which study it is, or it is damaged"
        ) from error


def _header(data: bytes, limits: Limits) -> FileDataset:
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    return pydicom.dcmread(
        io.BytesIO(inflated(data, limits.max_bytes)),
        force=True,
        stop_before_pixels=True,
        specific_tags=list(_ELEMENTS),
    )


def _instance(header: FileDataset, limits: Limits) -> Instance:
    return Instance(
        sop_class=str(header.get("SOPClassUID", "")),
        sop_instance=str(header.get("SOPInstanceUID", "")),
        study=str(header.get("StudyInstanceUID", "")),
        kind=_kind(header, limits),
    )


def _kind(header: FileDataset, limits: Limits) -> Kind:
    if any(
        header.file_meta.get(f"MediaStorage{name}", header.get(name)) != header.get(name)
        for name in ("SOPClassUID", "SOPInstanceUID")
    ):
        return Kind.MISMATCHED
    if examination.is_own(header):
        return Kind.OWN
    stored = UID(header.SOPClassUID)
    if not examination.is_analysed(stored, secondary_capture=limits.secondary_capture):
        return Kind.OTHER
    return Kind.RADIOGRAPH
