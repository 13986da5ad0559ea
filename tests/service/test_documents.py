"""An analysis as FHIR and as the text for the chart, by content negotiation."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from chestxray.fhir.elements import R4, R5, RELEASES
from tests import dicoms, results_in_study
from tests.fhir import check, kinds, resources
from tests.phantoms import phantom
from tests.results_in_study import IN_A_STUDY
from tests.service.fakes import BRIGHT, DARK, check_problem, form

PIXELS = phantom(400, 480).astype(np.uint16) * 16
DRAWN = {"": False, "?heatmap=none": False, "?heatmap=cam": True, "?heatmap=all": True}
"""Whether a Bundle has the picture, by query."""
FHIR, TEXT, JSON = "application/fhir+json", "text/plain", "application/json"


def either_order(accept: str) -> list[str]:
    """The header, and the same with its ranges in the opposite order, which means the same."""
    return [accept, ", ".join(reversed(accept.split(", ")))]


@pytest.mark.parametrize(
    ("accept", "release"),
    [
        (FHIR, "4.0"),
        (f"{FHIR}; fhirVersion=4.0", "4.0"),
        (f"{FHIR};fhirVersion=5.0", "5.0"),
        (f'{FHIR}; fhirVersion="5.0"', "5.0"),
        (f"{FHIR}; fhirVersion=3.0, {FHIR}; fhirVersion=5.0; q=0.5", "5.0"),
        (f"{FHIR}; fhirVersion=5.0; q=0.5, {FHIR}; fhirVersion=4.0; q=0.9", "4.0"),
        (f"{FHIR}; fhirVersion=4.0; q=0, {FHIR}; fhirVersion=5.0", "5.0"),
        (f"{FHIR}; fhirVersion=5.0; q=0, {FHIR}; fhirVersion=4.0", "4.0"),
        (f"{FHIR}; fhirVersion=4.0; q=0, {FHIR}; fhirVersion=5.0; q=0.9, {JSON}; q=0.5", "5.0"),
        (f"{FHIR}; fhirVersion=4.0; q=0.2, {FHIR}; fhirVersion=5.0; q=0.9, {JSON}; q=0.5", "5.0"),
        (f"{FHIR}, {FHIR}; fhirVersion=4.0; q=0, {JSON}; q=0.5", "5.0"),
        (f"{FHIR}; fhirVersion=5.0, {FHIR}", "5.0"),
    ],
)
def test_fhir_is_answered_in_the_release_that_is_asked(
    run: Callable[..., None], accept: str, release: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for each in either_order(accept):
            answer = await client.post("/v1/analyses", **form(DARK), headers={"accept": each})

            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == f"{FHIR}; fhirVersion={release}", each
        made = answer.json()
        assert made["resourceType"] == "Bundle"
        devices = [e["resource"] for e in made["entry"] if "manufacturer" in e["resource"]]
        assert ["deviceName" in each for each in devices] == 3 * [release == "4.0"]

    run(test)


@pytest.mark.parametrize("release", ["3.0", "6.0", "4.0.1", "", "four"])
def test_other_release_is_answered_406_before_the_image_is_analysed(
    run: Callable[..., None], release: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"accept": f"{FHIR}; fhirVersion={release}"}

        answer = await client.post("/v1/analyses", **form(BRIGHT), headers=headers)

        check_problem(answer, 406, "not-acceptable")
        assert answer.json()["offered"] == [f"{FHIR}; fhirVersion={v}" for v in ("4.0", "5.0")]

    run(test)


@pytest.mark.parametrize(
    "accept",
    [
        f"{FHIR}; fhirVersion=3.0, application/json",
        f"application/json; q=0.1, {FHIR}; fhirVersion=3.0",
        f"{FHIR}; fhirVersion=3.0, */*; q=0.5",
        f"{FHIR}; fhirVersion=3.0, {FHIR}; q=0.5, application/json; q=0.8",
    ],
)
def test_unknown_release_leaves_the_other_ranges_of_the_header(
    run: Callable[..., None], accept: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for each in either_order(accept):
            answer = await client.post("/v1/analyses", **form(DARK), headers={"accept": each})

            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == JSON, each

    run(test)


@pytest.mark.parametrize(
    ("accepted", "language", "words"),
    [
        ("", "en", "Use of artificial intelligence"),
        ("pt-PT, en;q=0.5", "pt-BR", "Uso de inteligência artificial, registrado"),
        ("es-MX", "es", "Uso de inteligencia artificial, anotado"),
    ],
)
def test_text_for_the_chart_is_in_the_callers_language_and_the_conclusion_of_the_report(
    run: Callable[..., None], accepted: str, language: str, words: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"accept": TEXT, "accept-language": accepted}
        answer = await client.post("/v1/analyses", **form(DARK), headers=headers)

        assert answer.headers["content-type"] == f"{TEXT}; charset=utf-8"
        assert answer.headers["content-language"] == language
        assert answer.headers["vary"] == "Accept, Accept-Language"
        assert answer.text.startswith(words)

        headers["accept"] = FHIR
        made = (await client.post("/v1/analyses", **form(DARK), headers=headers)).json()
        assert made["entry"][0]["resource"]["conclusion"].startswith(words)

    run(test)


@pytest.mark.parametrize("accept", [FHIR, TEXT])
def test_rejected_image_is_a_problem(run: Callable[..., None], accept: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(BRIGHT), headers={"accept": accept})

        check_problem(answer, 422, "not-a-frontal-chest-xray")

    run(test)


@pytest.mark.parametrize("release", RELEASES)
def test_bundle_of_a_dicom_image_names_its_study_and_no_patient(
    run: Callable[..., None], release: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        made = await bundle_of(client, results_in_study.film(), release)

        (study,) = resources(made, "ImagingStudy")
        assert study["identifier"][0]["value"] == f"urn:oid:{IN_A_STUDY['StudyInstanceUID']}"
        assert study["series"][0]["uid"] == IN_A_STUDY["SeriesInstanceUID"]
        assert study["identifier"][1]["value"] == IN_A_STUDY["AccessionNumber"]
        assert ("ImagingSelection" in kinds(made)) == (release == R5)
        written = json.dumps(made, ensure_ascii=False)
        for name in ("Gonçalves", "4711", "1970-01-01", "19700101", "Souza"):
            assert name not in written

    run(test)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("image", [DARK, dicoms.film(PIXELS, PatientName="Silva")])
def test_bundle_of_an_image_without_a_study_has_none(
    run: Callable[..., None], release: str, image: bytes
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        made = await bundle_of(client, image, release)

        assert kinds(made) == {"DiagnosticReport", "Observation", "Device", "Provenance"}

    run(test)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("StudyInstanceUID", b"SILVA^MARIA", set[str]()),
        ("StudyInstanceUID", b"1.2.3\\4.5.6", set[str]()),
        ("SOPInstanceUID", b"", set[str]()),
        ("SOPInstanceUID", b"1..2", set[str]()),
        ("SeriesInstanceUID", b"../../x", {"number"}),
        ("SeriesInstanceUID", 65 * b"1", {"number"}),
        ("AccessionNumber", b"A\x1b\x00\x07B", {"series"}),
        ("AccessionNumber", 2**15 * b"\xff", {"series"}),
        ("AccessionNumber", b"<b>&\"'", {"series", "number"}),
        ("Modality", b"SILVA", {"series", "number"}),
        ("StudyDate", b"SILVA", {"series", "number"}),
    ],
)
def test_what_is_unusable_in_a_header_is_not_in_the_bundle(
    run: Callable[..., None], release: str, name: str, value: bytes, kept: set[str]
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        whole = results_in_study.film(SpecificCharacterSet="ISO_IR 192")
        made = await bundle_of(client, dicoms.with_value(whole, name, value), release)

        found = resources(made, "ImagingStudy")
        assert {
            *("series" for each in found if "series" in each),
            *("number" for each in found if len(each["identifier"]) == 2),
        } == kept
        assert "SILVA" not in json.dumps(made)

    run(test)


def test_accession_number_of_a_megabyte_does_no_harm(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        whole = dicoms.dataset(PIXELS, **IN_A_STUDY)
        data = dicoms.LOSSLESS["implicit VR little endian"](whole)
        tag, value = b"\x08\0\x50\0", 2**20 * b"A"
        assert data.count(tag + b"\2\0\0\0A1") == 1

        made = await bundle_of(
            client,
            data.replace(tag + b"\2\0\0\0A1", tag + struct.pack("<I", len(value)) + value),
            R4,
        )

        assert len(resources(made, "ImagingStudy")[0]["identifier"]) == 1

    run(test)


@pytest.mark.parametrize("image", [DARK, results_in_study.film()])
@pytest.mark.parametrize("release", RELEASES)
def test_picture_is_in_the_bundle_only_where_it_is_asked_and_the_one_of_image_png(
    run: Callable[..., None], release: str, image: bytes
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(image), headers={"accept": "image/png"})
        expected = base64.b64encode(answer.content).decode()

        for query, drawn in DRAWN.items():
            made = await bundle_of(client, image, release, query)
            assert (expected in json.dumps(made)) == drawn
            assert bool(kinds(made) & {"Media", "DocumentReference"}) == drawn

    run(test)


async def bundle_of(
    client: httpx.AsyncClient, image: bytes, release: str, query: str = ""
) -> dict[str, Any]:
    """The Bundle of an image, which is valid in its release."""
    headers = {"accept": f"{FHIR}; fhirVersion={release}"}
    answer = await client.post(f"/v1/analyses{query}", **form(image), headers=headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    check(made, release)
    return made
