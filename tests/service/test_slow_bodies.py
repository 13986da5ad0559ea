"""A body must arrive at a minimum rate, or the request times out."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.phantoms import encode
from tests.service.fakes import check_problem


def test_body_that_slows_to_single_bytes_times_out(run: Callable[..., None]) -> None:
    """However much of the body arrived before, since it is held in memory."""

    async def byte_by_byte() -> Any:
        yield bytes(100_000)
        while True:
            await asyncio.sleep(0.02)
            yield b"x"

    async def test(client: httpx.AsyncClient) -> None:
        started = time.monotonic()
        answer = await client.post("/v1/analyses", content=byte_by_byte())

        check_problem(answer, 408, "body-timeout")
        assert time.monotonic() - started < 2

    run(test, body_timeout_seconds=0.2)


def test_body_that_arrives_slowly_but_steadily_is_accepted(run: Callable[..., None]) -> None:
    async def steady() -> Any:
        for start in range(0, len(noise), 2000):
            await asyncio.sleep(0.02)
            yield noise[start : start + 2000]

    noise = encode(np.random.default_rng(0).integers(0, 99, (200, 200), np.uint8), "PNG")

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", content=steady())

        assert answer.status_code == 200

    run(test, body_timeout_seconds=0.1)
