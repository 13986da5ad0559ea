"""A caller sends as many images in a minute as its quota allows, and is told what is left."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.gateway.inference_protocol import INFER
from bentos.metric_labels import Outcome, QuotaKind, ShedReason
from bentos.metrics import get_metrics
from tests.service import redis_server
from tests.service.fakes import BRIGHT, DARK, FakeModels, check_problem, form
from tests.service.keeping import KEEP, Gateway
from tests.service.test_inference_protocol import body
from tests.waiting import until_async
from tests.windows import Clock

Run = Callable[..., None]
ANALYSES, BATCH = "/v1/analyses", "/v1/analyses/batch"
LEFT = re.compile(r'"images";r=(\d+)(?:;t=(\d+))?')


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def left(answer: httpx.Response) -> int:
    """What the response says is left."""
    found = LEFT.fullmatch(answer.headers["ratelimit"])
    assert found, answer.headers
    return int(found[1])


async def analyse(client: httpx.AsyncClient, *images: bytes, **more: Any) -> httpx.Response:
    route = ANALYSES if len(images) == 1 else BATCH
    return await client.post(route, **form(*images), **more)


def check_refused(answer: httpx.Response) -> None:
    """Checks a 429 and its headers, which agree with each other."""
    problem = check_problem(answer, 429, "quota-exceeded")
    assert (problem.model_extra or {})["violated-policies"] == ["images"]
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 120
    found = LEFT.fullmatch(answer.headers["ratelimit"])
    assert found
    assert int(found[2]) <= seconds


def test_images_of_a_key_are_counted_and_others_are_not_affected(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        busy, other = [await gateway.holder(requests_per_minute=4) for _ in range(2)]

        first = await analyse(busy, DARK)
        assert (first.status_code, left(first)) == (200, 3)
        assert first.headers["ratelimit-policy"] == '"images";q=4;w=60'
        assert left(await analyse(busy, DARK, DARK)) == 1
        too_many = await analyse(busy, DARK, DARK)
        check_refused(too_many)
        assert left(too_many) == 1
        assert (await busy.post(KEEP, **form(DARK))).status_code == 201
        check_refused(await analyse(busy, DARK))
        assert left(await analyse(other, DARK)) == 3
        assert "ratelimit" not in (await analyse(gateway.client, DARK)).headers

    run_keeping(test)


def test_batch_that_no_minute_allows_is_refused_for_good(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder(requests_per_minute=2)

        answer = await analyse(holder, DARK, DARK, DARK)

        assert check_problem(answer, 400, "too-many-images").limit == 2
        assert "retry-after" not in answer.headers
        assert left(await analyse(holder, DARK, DARK)) == 0

    run_keeping(test)


def test_key_without_a_quota_has_the_default_and_0_is_none(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        usual, free = await gateway.holder(), await gateway.holder(requests_per_minute=0)

        assert left(await analyse(usual, DARK)) == 0
        check_refused(await analyse(usual, DARK))
        for _ in range(2):
            answer = await analyse(free, DARK)
            assert answer.status_code == 200
            assert "ratelimit-policy" not in answer.headers

    run_keeping(test, key_images_per_minute=1)


def test_visitors_are_counted_by_address_and_not_by_cookie(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        here = {"headers": {"x-forwarded-for": "2001:db8::1"}}
        neighbour = {"headers": {"x-forwarded-for": "2001:db8::2"}}
        elsewhere = {"headers": {"x-forwarded-for": "2001:db8:1::1"}}

        for number in range(2):
            visitor = gateway.visitor()
            answer = await visitor.post(KEEP, **form(DARK), **here)
            assert (answer.status_code, left(answer)) == (201, 1 - number)
        check_refused(await analyse(gateway.visitor(), DARK, **neighbour))
        assert left(await analyse(gateway.visitor(), DARK, **elsewhere)) == 1
        holder = await gateway.holder()
        assert (await analyse(holder, DARK, **here)).status_code == 200

    run_keeping(test, visitor_images_per_minute=2, trusted_proxies=("127.0.0.1/32",))


def test_service_that_keeps_nothing_has_quotas_too(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert left(await analyse(client, DARK)) == 1
        # The filter's refusal is an answer about an image, which was analysed.
        assert left(await analyse(client, BRIGHT)) == 0
        answer = await client.post(INFER, json=body(DARK))
        check_refused(answer)
        assert answer.json()["error"] == answer.json()["detail"]

    run(test, visitor_images_per_minute=2)


def test_inference_protocol_counts_images(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert left(await client.post(INFER, json=body(DARK, DARK, DARK))) == 1
        check_refused(await client.post(INFER, json=body(DARK, DARK)))

    run(test, visitor_images_per_minute=4)


def test_request_that_is_shed_costs_nothing(run: Run, models: FakeModels) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        first = asyncio.create_task(analyse(client, DARK))
        await until_async(lambda: models.calls)
        for _ in range(3):
            check_problem(await analyse(client, DARK), 503, "overloaded")
        models.gate.set()
        assert left(await first) == 2
        assert left(await analyse(client, DARK)) == 1

    settings = {"max_images_in_flight": 1, "max_images_per_batch": 1}
    run(test, visitor_images_per_minute=3, **settings)


def test_batch_that_is_shed_after_its_body_was_read_costs_nothing(
    run: Run, models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        first = asyncio.create_task(analyse(client, DARK))
        await until_async(lambda: models.calls)
        shed = await analyse(client, DARK, DARK)
        check_problem(shed, 503, "overloaded")
        assert left(shed) == 9
        models.gate.set()
        assert left(await first) == 9

    run(test, visitor_images_per_minute=10, max_images_in_flight=2, max_images_per_batch=2)


def test_refusal_is_a_client_error_and_not_load_shedding(run: Run) -> None:
    metrics = get_metrics()

    def counts() -> list[float]:
        series = [
            metrics.quota_refusals.labels(QuotaKind.ADDRESS),
            metrics.requests.labels(ANALYSES, Outcome.CLIENT_ERROR),
            metrics.requests.labels(ANALYSES, Outcome.SHED),
            *(metrics.shed.labels(reason) for reason in ShedReason),
        ]
        return [each._value.get() for each in series]

    async def test(client: httpx.AsyncClient) -> None:
        await analyse(client, DARK)
        before = counts()
        check_refused(await analyse(client, DARK))
        assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 0] + 5 * [0]

    run(test, visitor_images_per_minute=1)


def test_body_is_not_read_where_nothing_is_left(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await analyse(client, DARK)
        headers = {"expect": "100-continue", "content-type": "image/png"}
        sent = []

        async def slow() -> Any:
            sent.append(1)
            yield DARK

        check_refused(await client.post(ANALYSES, content=slow(), headers=headers))
        assert len(sent) == 0

    run(test, visitor_images_per_minute=1)


def test_pages_of_other_sites_can_read_the_headers(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await analyse(client, DARK)
        answer = await analyse(client, DARK, headers={"origin": "https://portal.example"})

        check_refused(answer)
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)

    run(test, visitor_images_per_minute=1, cors_origins=("https://portal.example",))


def test_document_describes_the_quota(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]

        for route in (ANALYSES, BATCH):
            responses = paths[route]["post"]["responses"]
            assert "quota-exceeded" in responses["429"]["description"]
            assert "Retry-After" in responses["429"]["headers"]
            for status in ("200", "429", "503"):
                assert {"RateLimit", "RateLimit-Policy"} <= responses[status]["headers"].keys()
        assert "RateLimit" not in paths["/v1/limits"]["get"]["responses"]["200"]["headers"]

    run(test, visitor_images_per_minute=1)


@pytest.mark.parametrize("together", [pytest.param(True, marks=redis_server.needed()), False])
def test_gateways_share_a_quota_where_they_share_a_store(
    run_keeping: Run, tmp_path: Path, together: bool
) -> None:
    async def test(first: Gateway, second: Gateway) -> None:
        holder = await first.holder(requests_per_minute=3)
        same = second.visitor()
        same.headers["Authorization"] = holder.headers["Authorization"]

        assert left(await analyse(holder, DARK, DARK)) == 1
        assert left(await analyse(same, DARK)) == (0 if together else 2)
        refused = await analyse(holder, DARK, DARK)
        check_refused(refused)

    if not together:
        run_keeping(test, count=2)
        return
    with redis_server.redis_server(tmp_path) as shared:
        run_keeping(test, count=2, quota_store=shared.url)


@redis_server.needed()
def test_analyses_go_on_while_the_store_is_paused(run_keeping: Run, tmp_path: Path) -> None:
    with redis_server.redis_server(tmp_path) as shared:

        async def test(gateway: Gateway) -> None:
            holder = await gateway.holder(requests_per_minute=3)
            assert left(await analyse(holder, DARK)) == 2
            shared.pause()
            answers = [await analyse(holder, DARK) for _ in range(4)]
            shared.go_on()

            assert [each.status_code for each in answers] == [200, 200, 200, 429]

        run_keeping(test, quota_store=shared.url)
