"""The public API over fake models: limits on work in flight, and deadlines."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.service.fakes import DARK, FakeModels, check_problem, form
from tests.waiting import until_async


def test_request_above_the_in_flight_limit_is_refused_before_any_model(
    run: Callable[..., None], models: FakeModels
) -> None:
    """Trap 5: BentoML's own queue has no bound."""

    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        posts = [asyncio.create_task(client.post("/v1/analyses", **form(DARK))) for _ in range(9)]
        await until_async(
            lambda: len(models.calls) == 4 and sum(post.done() for post in posts) == 5
        )
        assert models.calls == [("judge", 1)] * 4
        models.gate.set()
        answers = await asyncio.gather(*posts)

        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 5
        for answer in refused:
            check_problem(answer, 503, "overloaded")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await client.post("/v1/analyses", **form(DARK))).status_code == 200

    run(test, max_images_in_flight=6, max_images_per_batch=6)  # 2/3 are for one caller


def test_body_above_the_byte_limit_is_refused_and_its_bytes_are_released(
    run: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        large = b"x" * 2000
        for _ in range(3):
            check_problem(await client.post("/v1/analyses", content=large), 503, "overloaded")
        assert (await client.post("/v1/analyses", content=DARK)).status_code == 200

    run(test, max_bytes_in_flight=1999, max_batch_bytes=1999, max_image_bytes=1999)


def test_client_deadline_is_kept(run: Callable[..., None], models: FakeModels) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        headers = {"x-request-timeout-ms": "100"}
        answer = await client.post("/v1/analyses", **form(DARK), headers=headers)

        check_problem(answer, 504, "deadline-exceeded")

    run(test)


@pytest.mark.alone
def test_504_is_sent_within_100_ms_of_the_deadline(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        headers = {"x-request-timeout-ms": "300"}
        await client.post("/v1/analyses", **form(DARK), headers=headers)  # imports and caches
        seconds = []
        for _ in range(5):  # most may meet a pause of the machine
            started = time.monotonic()
            answer = await client.post("/v1/analyses", **form(DARK), headers=headers)
            seconds.append(time.monotonic() - started)
            check_problem(answer, 504, "deadline-exceeded")

        assert 0.3 <= min(seconds) < 0.4

    run(test)


def test_expired_request_stops_and_releases_its_capacity(
    run: Callable[..., None], models: FakeModels
) -> None:
    """Trap 7."""

    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        headers = {"x-request-timeout-ms": "20"}
        for _ in range(4):
            answer = await client.post("/v1/analyses", **form(DARK), headers=headers)
            check_problem(answer, 504, "deadline-exceeded")

        models.gate.set()
        assert (await client.post("/v1/analyses", **form(DARK))).status_code == 200
        assert [name for name, _ in models.calls].count("classify") == 1  # of the last

    run(test, max_images_in_flight=2, max_images_per_batch=2)


def test_stalled_body_is_answered_with_a_timeout(run: Callable[..., None]) -> None:
    async def stalling_body() -> Any:
        yield b"x"
        await asyncio.sleep(60)

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", content=stalling_body())

        check_problem(answer, 408, "body-timeout")

    run(test, body_timeout_seconds=0.1)


def test_stalled_upload_takes_no_image_capacity(run: Callable[..., None]) -> None:
    read: list[None] = []

    async def stalled_body() -> Any:
        yield b"x"
        read.append(None)
        await asyncio.sleep(60)

    async def test(client: httpx.AsyncClient) -> None:
        idle = [asyncio.create_task(client.post("/v1/analyses/batch", content=stalled_body()))]
        idle += [asyncio.create_task(client.post("/v1/analyses", content=stalled_body()))]
        await until_async(lambda: len(read) == 2)
        assert (await client.post("/v1/analyses", **form(DARK))).status_code == 200
        for task in idle:
            task.cancel()

    run(test, max_images_in_flight=1, max_images_per_batch=1)
