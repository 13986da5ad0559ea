"""Reads from the header of a DICOM file which object it is."""

import io
import re
from datetime import date
from typing import TypeVar

import pydicom
from pydantic import TypeAdapter, ValidationError
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from chestxray.dicom import examination, signature
from chestxray.dicom.dataset import inflated
from chestxray.dicom.instance import AccessionNumber, Instance, Kind, Modality, Uid
from chestxray.errors import RejectedImage, UnreadableImage
from chestxray.limits import DEFAULT_LIMITS, Limits

_ELEMENTS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "Manufacturer",
    "SeriesInstanceUID",
    "AccessionNumber",
    "Modality",
    "StudyDate",
)
_UID = TypeAdapter[str](Uid)
_ACCESSION_NUMBER = TypeAdapter[str](AccessionNumber)
_MODALITY = TypeAdapter[Modality](Modality)
_DATE = re.compile(r"[0-9]{8}")

T = TypeVar("T")


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
        series=_usable(header, "SeriesInstanceUID", _UID),
        accession_number=_usable(header, "AccessionNumber", _ACCESSION_NUMBER),
        modality=_usable(header, "Modality", _MODALITY),
        study_date=_date(header, "StudyDate"),
    )


def _usable(header: FileDataset, name: str, kind: TypeAdapter[T]) -> T | None:
    """The value of an element, or None if that is not of this kind."""
    try:
        return kind.validate_python(_text(header, name))
    except ValidationError:
        return None


def _date(header: FileDataset, name: str) -> date | None:
    text = _text(header, name)
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _text(header: FileDataset, name: str) -> str:
    """The only value of an element, or none, also where the element is damaged."""
    try:
        value = header.get(name)
    except MemoryError:
        raise
    except Exception:  # as above; the object is identified without it
        return ""
    return value.strip() if isinstance(value, str) else ""


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
