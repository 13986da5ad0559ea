"""The Accept header chooses JSON or an image (RFC 9110, 12.5.1); errors are always problems."""

from collections.abc import Callable

import httpx
import pytest

from tests.service.fakes import BRIGHT, DARK, check_problem, form

JSON, PNG = "application/json", "image/png"
OFFERED = [
    JSON,
    PNG,
    "application/dicom",
    "multipart/related",
    "application/fhir+json",
    "text/plain",
]
BROWSER = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8"
)


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", JSON),
        ("*/*", JSON),
        (BROWSER, JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/*", JSON),
        ("application/json; charset=utf-8", JSON),
        ("image/png;q=0, application/json", JSON),
        ("image/png;q=0.5, application/json", JSON),
        ("image/png;q=0, */*", JSON),
        ("no media type", JSON),
        (PNG, PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("image/webp,image/png", PNG),
        ("image/png, application/json;q=0.9", PNG),
        ("text/html;q=0.9, image/png ; q=0.2", PNG),
        ("*/*, application/json;q=0", PNG),
    ],
)
def test_accept_header_chooses_the_response_type(
    run: Callable[..., None], accept: str, answered: str
) -> None:
    """F17."""

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK), headers={"accept": accept})

        assert answer.status_code == 200
        assert answer.headers["content-type"] == answered
        assert answer.headers["vary"] == "Accept"

    run(test)


@pytest.mark.parametrize(
    ("path", "accept", "offered"),
    [
        ("/v1/analyses", "text/html", OFFERED),
        ("/v1/analyses", "application/xml, image/webp", OFFERED),
        ("/v1/analyses", "*/*;q=0", OFFERED),
        ("/v1/analyses/batch", PNG, [JSON]),
    ],
)
def test_unacceptable_request_is_answered_406_with_the_offered_types(
    run: Callable[..., None], path: str, accept: str, offered: list[str]
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(path, **form(DARK), headers={"accept": accept})

        check_problem(answer, 406, "not-acceptable")
        assert answer.json()["offered"] == offered
        assert answer.headers["vary"] == "Accept"

    run(test)


@pytest.mark.parametrize("accept", [PNG, "application/json"])
def test_error_is_a_problem_document_whatever_is_accepted(
    run: Callable[..., None], accept: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"accept": accept}

        check_problem(await client.get("/nothing", headers=headers), 404, "not-found")
        answer = await client.post("/v1/analyses", **form(BRIGHT), headers=headers)
        check_problem(answer, 422, "not-a-frontal-chest-xray")

    run(test)
