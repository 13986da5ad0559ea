"""Which object a DICOM file is; without pydicom, which only the confined processes import."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

UID_PATTERN = r"^[0-9]+(\.[0-9]+)*$"
MAX_UID_LENGTH = 64
"""PS3.5, 9.1. Some old devices write components with a leading zero, which archives keep."""

Uid = Annotated[str, Field(pattern=UID_PATTERN, max_length=MAX_UID_LENGTH)]
AccessionNumber = Annotated[str, Field(pattern=r"^(?: |[^\p{C}\p{Z}\\\x{FFFD}]){1,16}$")]
"""An SH (PS3.5, 6.2) that is a string of FHIR, too: neither control characters nor spaces but the
usual one, nor what stands for unreadable characters."""
Modality = Literal["CR", "DX", "RG"]
"""The radiographs of PS3.16, CID 29. OT says nothing, and a word of no standard could be a name."""


class Kind(StrEnum):
    """Whether an object is one to analyse."""

    RADIOGRAPH = "radiograph"
    OTHER = "other"
    """Its SOP class is not one that is analysed."""
    OWN = "own"
    """It is a result of this service."""
    MISMATCHED = "mismatched"
    """Its data set is another object than its file meta information says."""


class Instance(BaseModel):
    """The identity of a DICOM object, from its header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sop_class: Uid
    sop_instance: Uid
    study: Uid
    kind: Kind
    # Absent where the header has none, or one that is unusable.
    series: Uid | None = None
    accession_number: AccessionNumber | None = None
    modality: Modality | None = None
    study_date: date | None = None
