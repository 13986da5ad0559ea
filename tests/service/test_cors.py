"""Pages of other sites call the API where the operator names them, and nowhere else."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from bentos.settings import Settings
from tests.service.fakes import BRIGHT, DARK, FakeModels, check_problem, form
from tests.waiting import until_async

PORTAL, STRANGER = "https://portal.example", "https://stranger.example"
ASKING = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-request-timeout-ms",
}


def test_no_site_is_allowed_where_none_is_named(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK), headers={"origin": PORTAL})

        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]

    run(test)


def test_preflight_of_a_named_site_is_allowed(run: Callable[..., None]) -> None:
    """F18."""

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.options("/v1/analyses", headers=ASKING | {"origin": PORTAL})

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
        {"origin": STRANGER},
        {"origin": "null"},
        {"origin": PORTAL + ".evil.example"},
        {"access-control-request-method": "DELETE"},
        {"access-control-request-private-network": "true"},
    ],
)
def test_other_preflights_are_refused(run: Callable[..., None], changed: dict[str, str]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = ASKING | {"origin": PORTAL} | changed
        answer = await client.options("/v1/analyses", headers=headers)

        check_problem(answer, 403, "cors-not-allowed")
        assert answer.headers.get("access-control-allow-origin") in (None, PORTAL)
        assert "access-control-allow-private-network" not in answer.headers

    run(test, cors_origins=(PORTAL,))


@pytest.mark.parametrize("origins", [(PORTAL,), ("*",)])
def test_every_answer_can_be_read_by_the_site(
    run: Callable[..., None], models: FakeModels, origins: tuple[str, ...]
) -> None:
    """Without the headers a browser shows the page a network error and no problem."""

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


def test_other_sites_are_not_told_that_they_may_read(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/limits", headers={"origin": STRANGER})

        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]

    run(test, cors_origins=(PORTAL,))


@pytest.mark.parametrize(
    "origin",
    ["portal.example", "https://portal.example/", "https://Portal.example", "https://*.example"],
)
def test_origin_that_no_browser_sends_stops_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings(cors_origins=(origin,))
