"""CORS: only the origins that the operator allows may call the API."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from bentos.settings import Settings
from tests.service.fakes import BRIGHT, DARK, FakeModels, check_problem, form
from tests.waiting import until_async

PORTAL, OTHER_SITE = "https://portal.example", "https://stranger.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-request-timeout-ms",
}


def test_no_origin_is_allowed_by_default(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK), headers={"origin": PORTAL})

        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]

    run(test)


def test_preflight_of_an_allowed_origin_succeeds(run: Callable[..., None]) -> None:
    """F18."""

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.options("/v1/analyses", headers=PREFLIGHT | {"origin": PORTAL})

        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == PORTAL
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "X-Request-Timeout-Ms" in answer.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]

    run(test, cors_origins=(PORTAL,))


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": OTHER_SITE},
        {"origin": "null"},
        {"origin": PORTAL + ".evil.example"},
        {"access-control-request-method": "PUT"},
        {"access-control-request-private-network": "true"},
    ],
)
def test_preflight_of_a_disallowed_origin_or_method_is_rejected(
    run: Callable[..., None], changed: dict[str, str]
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = PREFLIGHT | {"origin": PORTAL} | changed
        answer = await client.options("/v1/analyses", headers=headers)

        check_problem(answer, 403, "cors-not-allowed")
        assert answer.headers.get("access-control-allow-origin") in (None, PORTAL)
        assert "access-control-allow-private-network" not in answer.headers

    run(test, cors_origins=(PORTAL,))


@pytest.mark.parametrize("origins", [(PORTAL,), ("*",)])
def test_every_response_has_cors_headers_for_an_allowed_origin(
    run: Callable[..., None], models: FakeModels, origins: tuple[str, ...]
) -> None:
    """Without the headers a browser gives the page a network error instead of the problem."""

    async def test(client: httpx.AsyncClient) -> None:
        headers = {"origin": PORTAL}
        models.gate = asyncio.Event()
        first = asyncio.create_task(client.post("/v1/analyses", **form(DARK), headers=headers))
        await until_async(lambda: models.calls)
        busy = await client.post("/v1/analyses", **form(DARK), headers=headers)
        models.gate.set()
        served = await first
        rejected = await client.post("/v1/analyses", **form(BRIGHT), headers=headers)
        missing = await client.get("/nothing", headers=headers)

        answers = [served, busy, rejected, missing]
        assert [answer.status_code for answer in answers] == [200, 503, 422, 404]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] in (PORTAL, "*")
            exposed = answer.headers["access-control-expose-headers"]
            assert {"X-Request-ID", "Retry-After", "Server-Timing"} <= set(exposed.split(", "))
            assert "Origin" in answer.headers["vary"]

    run(test, cors_origins=origins, max_images_in_flight=1, max_images_per_batch=1)


def test_response_to_a_disallowed_origin_has_no_cors_headers(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/limits", headers={"origin": OTHER_SITE})

        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]

    run(test, cors_origins=(PORTAL,))


@pytest.mark.parametrize(
    "origin",
    ["portal.example", "https://portal.example/", "https://Portal.example", "https://*.example"],
)
def test_malformed_cors_origin_is_rejected_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings(cors_origins=(origin,))
