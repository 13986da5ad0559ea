"""Work ends when its client leaves, and not because another was cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect

from bentos.http.deadline import while_connected

Receive = Callable[[], Awaitable[dict[str, Any]]]


def request(receive: Receive) -> Request:
    return Request({"type": "http", "headers": []}, receive)  # type: ignore[arg-type]


async def leaves() -> dict[str, Any]:
    await asyncio.sleep(0)  # the work has begun
    return {"type": "http.disconnect"}


async def stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("it never leaves")


def test_work_ends_when_the_client_leaves() -> None:
    ended: list[str] = []

    async def main() -> None:
        try:
            async with while_connected(request(leaves)):
                await asyncio.Event().wait()
        except ClientDisconnect:
            ended.append("left")
        await asyncio.sleep(0)  # the task itself goes on

    asyncio.run(asyncio.wait_for(main(), 5))

    assert ended == ["left"]


def test_work_that_is_done_is_kept() -> None:
    async def main() -> int:
        async with while_connected(request(stays)):
            return 7

    assert asyncio.run(main()) == 7


def test_cancellation_from_elsewhere_stays_one() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with while_connected(request(stays)):
            begun.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_deadline_around_it_wins_over_a_client_that_stays() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.02), while_connected(request(stays)):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
