"""Work is cancelled when its client disconnects, and for no other reason."""

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


async def disconnects() -> dict[str, Any]:
    await asyncio.sleep(0)  # the work has begun
    return {"type": "http.disconnect"}


async def stays_connected() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("it never disconnects")


def test_work_is_cancelled_when_the_client_disconnects() -> None:
    ended: list[str] = []

    async def main() -> None:
        try:
            async with while_connected(request(disconnects)):
                await asyncio.Event().wait()
        except ClientDisconnect:
            ended.append("left")
        await asyncio.sleep(0)  # the task itself goes on

    asyncio.run(asyncio.wait_for(main(), 5))

    assert ended == ["left"]


def test_finished_work_is_returned() -> None:
    async def main() -> int:
        async with while_connected(request(stays_connected)):
            return 7

    assert asyncio.run(main()) == 7


def test_external_cancellation_is_raised_as_cancelled_error() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with while_connected(request(stays_connected)):
            begun.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_outer_timeout_is_raised_while_the_client_stays_connected() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.02), while_connected(request(stays_connected)):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
