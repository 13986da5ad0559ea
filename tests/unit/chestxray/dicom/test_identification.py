"""The header of a DICOM file says which object it is, and whether it is one to analyse."""

from typing import Any

import pydicom.uid as uids
import pytest

from chestxray.dicom.identification import identify
from chestxray.dicom.instance import Kind
from chestxray.errors import UnreadableImage
from chestxray.limits import Limits
from tests import dicoms, results_in_study
from tests.dicoms import RAMP

STUDY = "1.2.826.0.1.3680043.8.498.4711"


def film(**elements: Any) -> bytes:
    return dicoms.film(RAMP, **{"StudyInstanceUID": STUDY, **elements})


@pytest.mark.parametrize("name", dicoms.LOSSLESS)
def test_object_is_identified_in_every_transfer_syntax(name: str) -> None:
    made = dicoms.dataset(RAMP, StudyInstanceUID=STUDY)

    found = identify(dicoms.LOSSLESS[name](made))

    assert found.kind is Kind.RADIOGRAPH
    assert (found.sop_class, found.sop_instance) == (made.SOPClassUID, made.SOPInstanceUID)
    assert found.study == STUDY


def test_own_results_are_recognised() -> None:
    data = results_in_study.film(Manufacturer="ChestXRay ")

    assert identify(data).kind is Kind.OWN


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (uids.DigitalXRayImageStorageForPresentation, Kind.RADIOGRAPH),
        (uids.DigitalXRayImageStorageForProcessing, Kind.OTHER),
        (uids.SecondaryCaptureImageStorage, Kind.RADIOGRAPH),
        (uids.CTImageStorage, Kind.OTHER),
        (uids.ComprehensiveSRStorage, Kind.OTHER),
    ],
)
def test_kind_follows_from_the_sop_class(sop_class: str, kind: Kind) -> None:
    assert identify(film(SOPClassUID=sop_class)).kind is kind


def test_secondary_capture_is_another_kind_where_it_is_not_accepted() -> None:
    data = film(SOPClassUID=uids.SecondaryCaptureImageStorage)

    assert identify(data, limits=Limits(secondary_capture=False)).kind is Kind.OTHER


def test_data_set_that_differs_from_its_meta_information_is_mismatched() -> None:
    made = dicoms.dataset(RAMP, StudyInstanceUID=STUDY)
    named = str(made.SOPInstanceUID).encode()
    data = dicoms.file(made)
    assert data.count(named) == 2

    found = identify(data.replace(named, named[:-1] + b"%d" % (9 - int(named[-1:])), 1))

    assert found.kind is Kind.MISMATCHED


@pytest.mark.parametrize(
    "value",
    [b"", b"SILVA^MARIA", b"1.2.3\\4.5.6", b"1..2", b"<script>", b"1.2.3\n4"],
)
def test_value_that_is_no_uid_is_refused_and_not_quoted(value: bytes) -> None:
    data = film().replace(STUDY.encode(), value.ljust(len(STUDY), b"\0"))

    with pytest.raises(UnreadableImage, match="does not say which object") as caught:
        identify(data)

    assert "SILVA" not in str(caught.value)


@pytest.mark.parametrize("end", [0, 100, 140, 200, 400])
def test_part_of_a_header_is_refused(end: int) -> None:
    with pytest.raises(UnreadableImage):
        identify(film()[:end])


def test_picture_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="not a DICOM file"):
        identify(b"\x89PNG\r\n\x1a\n" + bytes(1000))
