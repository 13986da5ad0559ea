"""Quotas are counted in memory: exactly, bounded, and whatever a shared store does."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentos.callers import quota_store
from bentos.callers.quota_store import MAX_CALLERS, QuotaStore, Usage, Window
from bentos.metrics import get_metrics
from loadtests.load_generator import free_port
from tests.windows import Clock

NOBODY = 0.001
"""Seconds by which a calculation may be off."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def later(usage: Usage, seconds: float) -> Usage:
    """The usage after some time without images."""
    if seconds < usage.now_ends or not usage.now:
        left = max(0.0, usage.before_ends - seconds)
        return replace(usage, before_ends=left, now_ends=max(0.0, usage.now_ends - seconds))
    left = max(0.0, Window.MINUTE - (seconds - usage.now_ends))
    return Usage(usage.limit, before=usage.now, before_ends=left)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    limit = draw(st.integers(1, 100))
    ends = draw(st.floats(0.01, Window.MINUTE))
    before, now = draw(st.integers(0, limit)), draw(st.integers(0, limit))
    return Usage(limit, before, ends if before else 0.0, now, ends if now else 0.0)


@given(usages(), st.data())
def test_images_may_be_sent_after_the_wait_and_no_second_before(
    usage: Usage, data: st.DataObject
) -> None:
    images = data.draw(st.integers(1, usage.limit))

    wait = usage.wait(images)

    assert later(usage, wait).remaining >= images
    assert wait == 0 or later(usage, wait - 1 - NOBODY).remaining < images


def test_images_are_counted_all_or_none(clock: Clock) -> None:
    async def test() -> None:
        store = QuotaStore()

        assert await store.spend("a", 20, 16)
        assert not await store.spend("a", 20, 5)
        assert (await store.usage("a", 20)).remaining == 4
        assert await store.spend("a", 20, 4)
        assert (await store.usage("a", 20)).remaining == 0
        assert (await store.usage("b", 20)).remaining == 20

    asyncio.run(test())


def test_simultaneous_requests_do_not_exceed_the_quota(clock: Clock) -> None:
    async def test() -> None:
        store = QuotaStore()

        spent = await asyncio.gather(*(store.spend("a", 10, 1) for _ in range(50)))

        assert sum(spent) == 10

    asyncio.run(test())


def test_quota_comes_back_over_the_next_minute(clock: Clock) -> None:
    async def test() -> list[int]:
        store, left = QuotaStore(), []
        await store.spend("a", 60, 60)
        for seconds in (0, 59, 1, 30, 30):
            clock.now += seconds
            left.append((await store.usage("a", 60)).remaining)
        return left

    assert asyncio.run(test()) == [0, 0, 0, 30, 60]


def test_quota_of_a_day_is_counted_apart_and_comes_back_over_the_next_day(clock: Clock) -> None:
    async def test() -> list[int]:
        store, left = QuotaStore(), []
        clock.now -= clock.now % Window.DAY
        await store.spend("a", 48, 48, Window.DAY)
        assert (await store.usage("a", 48)).remaining == 48
        for hours in (0, 24, 12, 12):
            clock.now += hours * 3600
            left.append((await store.usage("a", 48, Window.DAY)).remaining)
        return left

    assert asyncio.run(test()) == [0, 0, 24, 48]


def test_memory_is_bounded_and_callers_idle_longest_are_forgotten(clock: Clock) -> None:
    async def test() -> None:
        store = QuotaStore()
        await store.spend("idle", 1, 1)
        for number in range(MAX_CALLERS + 9):
            await store.spend(f"address-{number}", 1, 1)

        kept = store._memory._memory
        for each in (kept.storage, kept.expirations, kept.locks):
            assert len(each) <= MAX_CALLERS
        assert await store.spend("idle", 1, 1)
        assert not await store.spend(f"address-{MAX_CALLERS + 8}", 1, 1)

    asyncio.run(test())


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def gone() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.mark.parametrize("kind", ["silent", "gone"])
def test_store_that_fails_delays_one_request_and_is_logged_once(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, clock: Clock, kind: str
) -> None:
    url, now = request.getfixturevalue(kind), 0.0
    failures = get_metrics().quota_store_failures
    before = failures._value.get()

    async def test() -> None:
        nonlocal now
        store = QuotaStore(url, clock=lambda: now)
        assert await took(lambda: store.spend("a", 2, 1)) < 2 * quota_store._TIMEOUT_SECONDS
        quick = [await took(lambda: store.spend("a", 2, 1)) for _ in range(20)]
        assert max(quick) < quota_store._TIMEOUT_SECONDS / 2
        assert (await store.usage("a", 2)).remaining == 0
        now += quota_store._RETRY_SECONDS
        await store.usage("a", 2)
        await store.close()

    with caplog.at_level(logging.WARNING, "bentos"):
        asyncio.run(test())

    (line,) = caplog.messages
    assert "counted in memory" in line
    assert url not in line
    assert failures._value.get() == before + 2


async def took(ask: Callable[[], Awaitable[object]]) -> float:
    started = time.monotonic()
    await ask()
    return time.monotonic() - started
