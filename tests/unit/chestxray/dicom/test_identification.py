"""The header of a DICOM file says which object it is, and whether it is one to analyse."""

from datetime import date
from typing import Any

import pydicom.uid as uids
import pytest

from chestxray.dicom.identification import identify
from chestxray.dicom.instance import Kind
from chestxray.errors import UnreadableImage
from chestxray.limits import Limits
from tests import dicoms, results_in_study
from tests.dicoms import RAMP
from tests.results_in_study import IN_A_STUDY

STUDY = "1.2.826.0.1.3680043.8.498.4711"
ELEMENTS = {
    "series": "SeriesInstanceUID",
    "accession_number": "AccessionNumber",
    "modality": "Modality",
    "study_date": "StudyDate",
}


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


def test_series_accession_number_modality_and_date_are_read() -> None:
    found = identify(results_in_study.film())

    assert found.series == IN_A_STUDY["SeriesInstanceUID"]
    assert (found.accession_number, found.modality) == ("A1", "CR")
    assert found.study_date == date(2026, 11, 27)


@pytest.mark.filterwarnings("ignore")  # pydicom's, which decoders do not show
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("series", b""),
        ("series", b"SILVA^MARIA"),
        ("series", b"1.2\\3.4"),
        ("accession_number", b"   "),
        ("accession_number", b"A\x1b$B1"),
        ("accession_number", b"A\x00B"),
        ("accession_number", b"A\r\nB"),
        ("accession_number", b"A\\B"),
        ("accession_number", b"\xc3\x28"),
        ("accession_number", "A\u202eB".encode()),
        ("accession_number", "A\u00a0B".encode()),
        ("accession_number", 17 * b"1"),
        ("accession_number", 2**15 * b"1"),
        ("modality", b"SILVA"),
        ("modality", b"OT"),
        ("modality", b"CR\\DX"),
        ("study_date", b"20261399"),
        ("study_date", b"00000000"),
        ("study_date", b"2026.11.27"),
        ("study_date", b"2026 1 1"),
    ],
)
def test_value_that_is_unusable_is_left_out_and_the_object_identified(
    name: str, value: bytes
) -> None:
    whole = results_in_study.film(SpecificCharacterSet="ISO_IR 192")

    found = identify(dicoms.with_value(whole, ELEMENTS[name], value))

    assert found.model_dump() == identify(whole).model_dump() | {name: None}


@pytest.mark.parametrize(
    ("characters", "value"),
    [
        ("ISO_IR 144", "\u0416-17"),
        ("GB18030", "\u68c0-17"),
        ("ISO_IR 192", "é-17"),
    ],
)
def test_accession_number_is_read_in_its_character_set(characters: str, value: str) -> None:
    elements = {name: "" for name in ("PatientName", "ReferringPhysicianName")}
    data = results_in_study.film(SpecificCharacterSet=characters, AccessionNumber=value, **elements)

    assert identify(data).accession_number == value


@pytest.mark.parametrize("name", ["series", "accession_number", "study_date"])
def test_element_of_another_type_is_left_out(name: str) -> None:
    data = dicoms.with_value(results_in_study.film(), ELEMENTS[name], b"\1\2\3\4", vr=b"FD")

    found = identify(data)

    assert getattr(found, name) is None
    assert found.study == IN_A_STUDY["StudyInstanceUID"]
