"""Gateways count together in a real Redis, and alone while it is away."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentos.callers import quota_store
from bentos.callers.quota_store import QuotaStore
from tests.service import redis_server
from tests.service.redis_server import RedisServer

pytestmark = redis_server.needed()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server.redis_server(tmp_path) as running:
        yield running


def test_two_stores_count_together(shared: RedisServer) -> None:
    async def test() -> None:
        first, second = QuotaStore(shared.url), QuotaStore(shared.url)

        assert await first.spend("a", 10, 6)
        assert (await second.usage("a", 10)).remaining == 4
        assert not await second.spend("a", 10, 5)
        spent = await asyncio.gather(*(each.spend("a", 10, 1) for each in 5 * [first, second]))

        assert sum(spent) == 4
        assert 0 < (await first.usage("a", 10)).wait(1) <= 120
        await first.close()
        await second.close()

    asyncio.run(test())


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_store_that_was_away_is_used_again(
    shared: RedisServer, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    now = 0.0

    async def test() -> None:
        nonlocal now
        store = QuotaStore(shared.url, clock=lambda: now)
        assert await store.spend("a", 10, 3)
        shared.stop() if how == "stopped" else shared.pause()
        assert await store.spend("a", 10, 8)
        assert (await store.usage("a", 10)).remaining == 2
        shared.start() if how == "stopped" else shared.go_on()
        assert (await store.usage("a", 10)).remaining == 2
        now += quota_store._RETRY_SECONDS
        await asyncio.sleep(0.5)  # what was sent to the paused server is counted there, or not
        assert (await store.usage("a", 10)).remaining in (10, 7)
        await store.close()

    with caplog.at_level(logging.WARNING, "bentos"):
        asyncio.run(test())

    assert [each.rpartition(";")[0] or each for each in caplog.messages] == [
        "the store of quotas fails (ConnectionError)"
        if how == "stopped"
        else "the store of quotas fails (TimeoutError)",
        "the store of quotas answers again",
    ]


def test_restart_of_the_store_costs_no_request(
    shared: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        store = QuotaStore(shared.url)
        await store.spend("a", 10, 3)
        shared.stop()
        shared.start()
        assert await store.spend("a", 10, 1)
        await store.close()

    with caplog.at_level(logging.WARNING, "bentos"):
        asyncio.run(test())

    assert caplog.messages == []
