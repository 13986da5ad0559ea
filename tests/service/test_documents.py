"""An analysis as FHIR and as the text for the chart, by content negotiation."""

from collections.abc import Callable

import httpx
import pytest

from tests.service.fakes import BRIGHT, DARK, check_problem, form

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
