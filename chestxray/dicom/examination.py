"""What the header says was examined, and whether that can be a frontal chest radiograph.

Only words of the standard are compared and quoted, never free text, which may name a patient. An
unknown word refuses nothing: then the filter decides.
"""

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from chestxray.dicom.study.equipment import MANUFACTURER
from chestxray.errors import OtherExamination, UnsupportedVariant

RADIOGRAPHS = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)
_RAW = "FOR PROCESSING"

# PS3.3, C.7.3.1.1.1. Absent are CR, DX, the film scanners' RG, and OT, which says nothing.
_MODALITIES = {
    "BMD": "a bone densitometry",
    "CT": "a CT",
    "DG": "a diaphanography",
    "ECG": "an ECG",
    "ES": "an endoscopy",
    "GM": "a microscopy",
    "IO": "an intra-oral radiograph",
    "IVUS": "an ultrasound",
    "MG": "a mammography",
    "MR": "an MR",
    "NM": "a nuclear medicine image",
    "OCT": "an optical coherence tomography",
    "OP": "an ophthalmic photograph",
    "PT": "a PET",
    "PX": "a panoramic radiograph",
    "RF": "a fluoroscopy",
    "RTIMAGE": "a radiotherapy image",
    "SM": "a slide microscopy",
    "TG": "a thermography",
    "US": "an ultrasound",
    "XA": "an angiography",
    "XC": "a photograph",
}

# PS3.16, table L-1, and usual spellings: parts of the body that are seen without the lungs.
# fmt: off
_OTHER_PARTS = frozenset({
    "ABDOMEN", "ABDOMENPELVIS", "ANKLE", "ARM", "BREAST", "CALCANEUS", "CALF", "CAROTID",
    "CERVICALSPINE", "COCCYX", "CSPINE", "ELBOW", "EXTREMITY", "EYE", "FACE", "FEMUR", "FINGER",
    "FOOT", "FOREARM", "HAND", "HEAD", "HEADNECK", "HEEL", "HIP", "HUMERUS", "JAW", "KNEE",
    "LEG", "LOWERLEG", "LOWERLIMB", "LSPINE", "LSSPINE", "LUMBARSPINE", "MANDIBLE", "MAXILLA",
    "NASALBONE", "NECK", "ORBIT", "PATELLA", "PELVIS", "RADIUSULNA", "SACRUM", "SCALP",
    "SHOULDER", "SIJOINT", "SINUS", "SKULL", "SSPINE", "TEETH", "THIGH", "THUMB", "TIBIAFIBULA",
    "TMJ", "TOE", "ULNA", "UPPERARM", "UPPERLIMB", "WRIST", "ZYGOMA",
})
# fmt: on
_LATERAL_VIEWS = ("LL", "RL", "LATERAL", "LAT")
"""Left and right lateral (PS3.3, C.8.1.2.1.1), and usual spellings."""


def check(header: Dataset, *, secondary_capture: bool) -> None:
    """Raises OtherExamination, or UnsupportedVariant for what a detector wrote for itself."""
    stored = UID(header.get("SOPClassUID", ""))
    for_processing = stored == DigitalXRayImageStorageForProcessing
    if for_processing or _word(header, "PresentationIntentType") == _RAW:
        raise UnsupportedVariant(
            f"the DICOM file is raw data of a detector ({_RAW}), not a picture; send the image of "
            "the same exposure that is FOR PRESENTATION",
            found=_RAW,
        )
    # An archive that routes what is new would send us our pictures, and their pictures, for ever.
    if is_own(header):
        raise _other(f"a result of {MANUFACTURER} itself")
    if kind := _MODALITIES.get(_word(header, "Modality")):
        raise _other(kind)
    _check_storage(stored, secondary_capture=secondary_capture)
    part = _word(header, "BodyPartExamined").replace(" ", "").replace("_", "")
    if part in _OTHER_PARTS:
        raise _other(f"a radiograph of another part of the body ({part})")
    if _word(header, "ViewPosition") in _LATERAL_VIEWS:
        raise _other("a view from the side (lateral)")


def is_own(header: Dataset) -> bool:
    """Whether this service wrote the object."""
    return _word(header, "Manufacturer") == MANUFACTURER.upper()


def is_analysed(stored: UID, *, secondary_capture: bool) -> bool:
    """Whether objects of this SOP class are analysed."""
    return stored in RADIOGRAPHS or (secondary_capture and stored == SecondaryCaptureImageStorage)


def _check_storage(stored: UID, *, secondary_capture: bool) -> None:
    if stored == SecondaryCaptureImageStorage and not secondary_capture:
        raise UnsupportedVariant(
            "the DICOM file is a secondary capture, such as a screenshot or a scan, which this "
            "service does not accept; send the original image",
            found="secondary capture",
        )
    # Files from before 1993, and some exports, name no class.
    if stored and not is_analysed(stored, secondary_capture=secondary_capture):
        known = not stored.is_private and stored.name != stored
        raise _other(f"an object of another kind ({stored.name if known else 'a private one'})")


def _word(header: Dataset, name: str) -> str:
    """The first value of an element, in capitals."""
    value = header.get(name, "")
    if isinstance(value, MultiValue):
        value = value[0] if value else ""
    return value.strip().upper() if isinstance(value, str) else ""


def _other(found: str) -> OtherExamination:
    return OtherExamination(
        f"the DICOM header says that this is {found}; send a frontal (AP or PA) chest radiograph, "
        "or correct the header",
        found=found,
    )
