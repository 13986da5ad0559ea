"""DICOM is taken wherever an image is; a radiograph is answered alike in any encoding."""

import csv
import email
import email.policy
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image

from chestxray.client import Analysis, Client, Problem, ProblemError
from tests import dicoms, results_in_study
from tests.dicoms import RAMP
from tests.phantoms import encode, phantom
from tests.service.server import Server

CLOSE = 1e-3
"""Largest difference of a probability between two encodings that keep every value."""


@pytest.fixture
def open_client(open_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=open_server.url, timeout=60) as session:
        yield session


@pytest.fixture
def caller(open_server: Server) -> Iterator[Client]:
    with Client(open_server.url) as session:
        yield session


def scores(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [*body["filter"]["scores"].values(), *body["prediction"]["probabilities"].values()]


def post(
    client: httpx.Client, data: bytes, media_type: str = "application/dicom"
) -> httpx.Response:
    return client.post("/v1/analyses", content=data, headers={"Content-Type": media_type})


def real_film(data: Path) -> np.ndarray:
    """A real radiograph of 12 bits, as it is stored."""
    stored = pydicom.dcmread(data / "dicom" / "gdcm-CR-MONO1-10-chest.dcm").pixel_array
    return np.asarray(4092 - 4 * stored.astype(np.uint16), np.uint16)  # as MONOCHROME2


@pytest.mark.parametrize("name", dicoms.LOSSLESS)
def test_same_film_has_the_same_answer_in_every_encoding(
    open_client: httpx.Client, data: Path, name: str
) -> None:
    film = real_film(data)
    as_png = scores(post(open_client, encode(film, "PNG"), "image/png"))

    found = scores(post(open_client, dicoms.LOSSLESS[name](dicoms.dataset(film))))

    assert np.abs(np.subtract(found, as_png)).max() <= CLOSE


def manifest(data: Path) -> list[dict[str, str]]:
    with (data / "manifest_dicom.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_real_files_are_answered_as_they_should_be(client: httpx.Client, data: Path) -> None:
    """Chest films pass the filter; any other examination is named."""
    for row in manifest(data):
        answer = post(client, (data / row["path"]).read_bytes())

        if row["expected"] == "cxr":
            assert answer.status_code == 200, (row["path"], answer.text)
            assert answer.json()["input"]["format"] == "DICOM"
        else:
            assert answer.status_code == 422, (row["path"], answer.text)
            assert answer.json()["code"] == "other-examination"
            assert answer.json()["found"]


@pytest.mark.parametrize("media_type", ["application/dicom", "application/octet-stream", ""])
def test_raw_body_is_recognised_by_its_content(
    open_client: httpx.Client, data: Path, media_type: str
) -> None:
    film = dicoms.film(real_film(data))

    described = post(open_client, film, media_type).json()["input"]

    assert (described["format"], described["media_type"]) == ("DICOM", "application/dicom")
    assert (described["bits"], described["mislabelled"]) == (12, False)


def test_form_is_recognised_whatever_the_name_and_the_type(
    open_client: httpx.Client, data: Path
) -> None:
    film = dicoms.film(real_film(data))

    answer = open_client.post("/v1/analyses", files={"image": ("film.jpg", film, "image/jpeg")})

    assert answer.json()["input"]["format"] == "DICOM"
    assert answer.json()["input"]["mislabelled"]


def test_batch_mixes_dicom_with_pictures(caller: Client, data: Path) -> None:
    film = real_film(data)
    images = [dicoms.film(film), encode(film, "PNG"), dicoms.film(film, Modality="CT")]

    *read, refused = caller.analyze_batch(images)

    assert [type(each) for each in read] == [Analysis, Analysis]
    assert isinstance(refused, Problem)
    assert refused.code == "other-examination"


def test_heatmap_is_drawn_over_the_film(caller: Client, data: Path) -> None:
    film = real_film(data)

    with Image.open(io.BytesIO(caller.heatmap(dicoms.film(film)))) as drawn:
        assert drawn.size == film.shape[::-1]


def test_header_appears_in_no_answer(open_client: httpx.Client) -> None:
    named: dict[str, Any] = {
        "PatientName": "SILVA^MARIA",
        "PatientID": "4711",
        "InstitutionName": "HOSPITAL",
        "Modality": "CT",
        "BodyPartExamined": "SILVA",
    }

    answer = post(open_client, dicoms.film(RAMP, **named))

    assert answer.status_code == 422
    assert not {"SILVA", "4711", "HOSPITAL"} & set(answer.text.replace('"', " ").split())


def objects_in(answer: httpx.Response) -> list[pydicom.Dataset]:
    """The parts of a multipart answer, by Python's own parser of messages."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    parts = list(message.iter_parts())
    assert {part.get_content_type() for part in parts} == {"application/dicom"}
    contents = [part.get_payload(decode=True) for part in parts]
    return [pydicom.dcmread(io.BytesIO(content)) for content in contents]


def test_report_comes_in_the_language_of_the_caller(caller: Client) -> None:
    found = caller.report(results_in_study.film(), language="pt-PT, en;q=0.5")
    report = pydicom.dcmread(io.BytesIO(found))

    assert report.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "pt-BR"
    assert report.StudyInstanceUID == results_in_study.IN_A_STUDY["StudyInstanceUID"]


def test_all_objects_come_as_a_multipart_message(open_client: httpx.Client) -> None:
    film, headers = (
        results_in_study.film(),
        {"Accept": 'multipart/related; type="application/dicom"'},
    )
    answer = open_client.post("/v1/analyses", content=film, headers=headers)

    report, picture, overlay = objects_in(answer)

    assert 'type="application/dicom"' in answer.headers["content-type"]
    assert answer.headers["vary"] == "Accept, Accept-Language"
    assert [each.Modality for each in (report, picture, overlay)] == ["SR", "OT", "PR"]
    assert picture.BurnedInAnnotation == "YES"
    assert picture.pixel_array.shape[2] == 3
    assert (
        overlay.ReferencedSeriesSequence[0].SeriesInstanceUID
        == (results_in_study.IN_A_STUDY["SeriesInstanceUID"])
    )


@pytest.mark.parametrize("accept", ["application/dicom", "multipart/related"])
def test_picture_without_a_study_is_answered_406(open_client: httpx.Client, accept: str) -> None:
    picture = encode(phantom(400, 480), "PNG")

    answer = open_client.post("/v1/analyses", content=picture, headers={"Accept": accept})

    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")
    assert answer.json()["offered"] == ["application/json", "image/png"]


def test_radiograph_without_a_study_is_answered_422(caller: Client) -> None:
    with pytest.raises(ProblemError, match="422 unreadable-image"):
        caller.report(dicoms.film(phantom(400, 480).astype(np.uint16) * 16))
