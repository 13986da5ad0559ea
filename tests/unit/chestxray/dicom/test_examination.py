"""What the header says of the examination is believed where the standard has a word for it."""

from typing import Any

import numpy as np
import pydicom.uid as uids
import pytest

from chestxray.errors import (
    MultiFrameImage,
    OtherExamination,
    RejectedImage,
    UnreadableImage,
    UnsupportedVariant,
)
from chestxray.images import read
from chestxray.limits import Limits
from tests import dicoms
from tests.dicoms import RAMP


@pytest.mark.parametrize(
    ("elements", "found"),
    [
        ({"Modality": "CT"}, "a CT"),
        ({"Modality": "MG"}, "a mammography"),
        ({"SOPClassUID": uids.CTImageStorage}, "an object of another kind (CT Image Storage)"),
        ({"SOPClassUID": "1.2.3.4"}, "an object of another kind (a private one)"),
        ({"BodyPartExamined": "HIP"}, "a radiograph of another part of the body (HIP)"),
        ({"BodyPartExamined": "skull "}, "a radiograph of another part of the body (SKULL)"),
        ({"BodyPartExamined": "L SPINE"}, "a radiograph of another part of the body (LSPINE)"),
        (
            {"SOPClassUID": uids.SecondaryCaptureImageStorage, "Manufacturer": "chestxray"},
            "a result of chestxray itself",
        ),
        ({"ViewPosition": "LL"}, "a view from the side (lateral)"),
        ({"ViewPosition": "Lateral"}, "a view from the side (lateral)"),
    ],
)
def test_other_examination_is_named(elements: dict[str, Any], found: str) -> None:
    with pytest.raises(OtherExamination) as refused:
        read(dicoms.film(RAMP, **elements))

    assert refused.value.found == found
    assert found in str(refused.value)


@pytest.mark.parametrize(
    "elements",
    [
        {"Modality": "DX", "SOPClassUID": uids.DigitalXRayImageStorageForPresentation},
        {"BodyPartExamined": "CHEST", "ViewPosition": "AP"},
        {"BodyPartExamined": "CHEST", "ViewPosition": "PA"},
        {"BodyPartExamined": "TORAX DE FRENTE"},
        {"BodyPartExamined": "", "ViewPosition": "", "Modality": "OT"},
        {"ViewPosition": "LLO"},
        {"SOPClassUID": uids.SecondaryCaptureImageStorage},
        {"Modality": "PATIENT NAME"},
    ],
)
def test_chest_and_doubt_are_left_to_the_filter(elements: dict[str, Any]) -> None:
    assert read(dicoms.film(RAMP, **elements)).input.format == "DICOM"


def test_refusal_quotes_no_free_text() -> None:
    with pytest.raises(OtherExamination) as refused:
        read(dicoms.film(RAMP, Modality="CT", BodyPartExamined="SILVA^MARIA", PatientName="A^B"))

    assert "SILVA" not in f"{refused.value} {vars(refused.value)}"


@pytest.mark.parametrize(
    "elements",
    [
        {"PresentationIntentType": "FOR PROCESSING"},
        {"SOPClassUID": uids.DigitalXRayImageStorageForProcessing},
    ],
)
def test_raw_data_of_a_detector_are_refused_by_name(elements: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedVariant) as refused:
        read(dicoms.film(RAMP, **elements))

    assert refused.value.found == "FOR PROCESSING"


def test_secondary_capture_is_refused_where_the_limits_say_so() -> None:
    capture = dicoms.film(RAMP, SOPClassUID=uids.SecondaryCaptureImageStorage)

    with pytest.raises(UnsupportedVariant) as refused:
        read(capture, limits=Limits(secondary_capture=False))

    assert refused.value.found == "secondary capture"


def test_several_frames_are_refused() -> None:
    frames = dicoms.dataset(np.stack([RAMP, RAMP]))

    with pytest.raises(MultiFrameImage):
        read(dicoms.file(frames))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"PhotometricInterpretation": "ARGB"}, UnsupportedVariant),
        ({"BitsAllocated": 32}, UnsupportedVariant),
        ({"BitsStored": 17}, UnsupportedVariant),
        ({"BitsStored": 0}, UnsupportedVariant),
        ({"Rows": 0}, UnreadableImage),
        ({"SamplesPerPixel": 3}, UnreadableImage),
        ({"Rows": None}, UnreadableImage),
        ({"PixelData": None}, UnreadableImage),
        ({"FloatPixelData": np.ones(2, np.float32).tobytes()}, UnsupportedVariant),
    ],
)
def test_impossible_picture_is_refused_by_its_header(
    changes: dict[str, Any], error: type[RejectedImage]
) -> None:
    made = dicoms.dataset(RAMP)
    for name, value in changes.items():
        if value is None:
            del made[name]
        else:
            setattr(made, name, value)

    with pytest.raises(error):
        read(dicoms.file(made))


@pytest.mark.parametrize(
    ("syntax", "found"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"),
        ("1.2.840.10008.1.2.4.999", "1.2.840.10008.1.2.4.999"),  # as if newer than pydicom
        ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Multi-component Image Compression"),
        ("1.2.3.4.5", "a private one"),
    ],
)
def test_transfer_syntax_that_is_not_read_is_named(syntax: str, found: str) -> None:
    written = dicoms.LOSSLESS["HTJ2K"](dicoms.dataset(RAMP))
    old = uids.HTJ2KLossless.encode() + b"\0"
    assert old in written

    with pytest.raises(UnsupportedVariant) as refused:
        read(written.replace(old, syntax.encode().ljust(len(old), b"\0")))

    assert refused.value.found.startswith(found)
