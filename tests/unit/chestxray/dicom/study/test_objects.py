"""The objects of a result: valid, in the study of their radiograph, and named by what they are."""

import io
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from chestxray.dicom.study import objects
from chestxray.errors import OtherExamination, UnreadableImage
from chestxray.images import read
from chestxray.limits import DEFAULT_LIMITS
from chestxray.texts import LANGUAGES
from tests import dicoms, results_in_study
from tests.results_in_study import IN_A_STUDY, film, order

REPORT, PICTURE, OVERLAY = (
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.11.1",
)
OF_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
SOURCES: dict[str, dict[str, Any]] = {
    "complete": {},
    "without what may be empty": dict.fromkeys(OF_PATIENT_AND_STUDY[:4] + OF_PATIENT_AND_STUDY[5:]),
    "with values that are not allowed": {"PatientAge": "34", "StudyDate": "27.11.2026"},
    "negative": {"PhotometricInterpretation": "MONOCHROME1"},
    "with a window": {"WindowCenter": 2000, "WindowWidth": 1500},
    "with tables": {"VOILUTSequence": dicoms.lut(range(4096), 0, bits=12)},
    "without an orientation": {"PatientOrientation": None, "Modality": None},
}


def source_of(name: str) -> bytes:
    made = pydicom.dcmread(io.BytesIO(film()))
    for key, value in SOURCES[name].items():
        if value is None:
            del made[key]
        else:
            setattr(made, key, value)
    return dicoms.file(made)


def written(data: bytes, *, language: str = "en", report_alone: bool = False) -> list[bytes]:
    made = order(data, language=language, report_alone=report_alone)
    return objects.write(data, made, DEFAULT_LIMITS)


def parsed(files: Sequence[bytes]) -> list[Dataset]:
    return [pydicom.dcmread(io.BytesIO(each)) for each in files]


def test_result_has_a_report_a_picture_and_an_overlay() -> None:
    assert [each.SOPClassUID for each in parsed(written(film()))] == [REPORT, PICTURE, OVERLAY]
    assert [each.SOPClassUID for each in parsed(written(film(), report_alone=True))] == [REPORT]


def test_no_object_is_analysed_when_it_comes_back() -> None:
    for made in written(film()):
        with pytest.raises(OtherExamination, match="a result of chestxray itself"):
            read(made)


def test_image_in_colour_has_no_overlay() -> None:
    colours = pydicom.dcmread(io.BytesIO(film()))
    grey = (colours.pixel_array // 16).astype("u1")
    colours.set_pixel_data(grey[..., None].repeat(3, axis=2), "RGB", 8)

    assert [each.SOPClassUID for each in parsed(written(dicoms.file(colours)))] == [REPORT, PICTURE]


@pytest.mark.parametrize("name", SOURCES)
def test_objects_are_of_the_study_and_the_patient_of_the_radiograph(name: str) -> None:
    data = source_of(name)
    radiograph = pydicom.dcmread(io.BytesIO(data))

    for made in parsed(written(data)):
        assert made.StudyInstanceUID == radiograph.StudyInstanceUID
        for each in OF_PATIENT_AND_STUDY:
            expected = radiograph.get(each) or ""
            assert made[each].value == ("" if expected == "27.11.2026" else expected), each
        assert made.SpecificCharacterSet == "ISO_IR 192"
        assert made.Manufacturer == made.ManufacturerModelName == "chestxray"
        assert made.SeriesDescription == "chestxray: research use only"


def test_series_are_our_own_and_uids_those_of_the_same_result() -> None:
    data = film()
    first, again = parsed(written(data)), parsed(written(data))

    series = [each.SeriesInstanceUID for each in first]
    assert len({*series, IN_A_STUDY["SeriesInstanceUID"]}) == 4
    assert [each.SOPInstanceUID for each in first] == [each.SOPInstanceUID for each in again]
    assert series == [each.SeriesInstanceUID for each in again]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SOURCES)
def test_two_validators_find_no_error(name: str, language: str, tmp_path: Path) -> None:
    """David Clunie's, and DCMTK's of reports and presentation states."""
    if not shutil.which("dciodvfy") or not shutil.which("dcmpschk"):
        pytest.skip("needs Debian's packages dicom3tools and dcmtk")
    paths = [tmp_path / f"{kind}.dcm" for kind in ("report", "picture", "overlay")]
    for path, content in zip(paths, written(source_of(name), language=language), strict=True):
        path.write_bytes(content)
        said = run("dciodvfy", path)
        assert "Error" not in said, said

    assert not re.search("^[EF]: ", run("dsrdump", paths[0]), re.M)
    complaints = re.findall(r"^[WEF]: (.*)", run("dcmpschk", paths[2]), re.M)
    # It wants a value where the standard allows none.
    of_content = [each for each in complaints if "absent or empty" not in each]
    assert of_content[-1] == "Test passed." or len(complaints) > len(of_content) == 2


def run(program: str, path: Path) -> str:
    done = subprocess.run([program, path], capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_radiograph_without_a_study_is_refused(name: str) -> None:
    data = film()
    made = pydicom.dcmread(io.BytesIO(data))
    del made[name]

    with pytest.raises(UnreadableImage, match=f"does not say {name}"):
        objects.write(dicoms.file(made), results_in_study.order(data), DEFAULT_LIMITS)
