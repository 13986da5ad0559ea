"""Pods that pass the probe and then lie, stall or flood: no request fails, and little is read."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator

import numpy as np
import pytest

from bentos.inference import discovery, pool
from bentos.inference.wire import Rows
from bentos.metrics import get_metrics
from tests.service.liars import KINDS, MIB, TRUE, Liar, changed, hang, saying
from tests.service.test_pods import IMAGES, Names, World, rows_of

MAX_ADDED_BYTES = 8 * MIB
"""The fake pod's own buffers within; most is what 256 KB of `100 Continue` are once parsed."""


def failures(reason: str) -> float:
    value: float = get_metrics().pod_failures.labels(reason)._value.get()
    return value


@contextlib.asynccontextmanager
async def watched(*liars: Liar, seconds: float = 10) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        for liar in liars:
            await stack.enter_async_context(liar.running())
        world = World(Names(*liars), pod_seconds=seconds)  # type: ignore[arg-type]
        watching = asyncio.create_task(world.discovery.run())
        try:
            async with asyncio.timeout(10):
                while not all(liar.probed for liar in liars):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)  # for the answer to get there
            yield world
            assert not watching.done()
        finally:
            watching.cancel()
            await asyncio.wait([watching])


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_RESOLVE_SECONDS", 0.02)
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_pod_that_lies_is_dropped_and_counted_and_fails_nobody(kind: str) -> None:
    reason, write = KINDS[kind]

    async def main() -> None:
        seconds = 0.5 if reason == "timeout" else 10
        async with watched(liar := Liar(write), seconds=seconds) as world:
            before = failures(reason)
            tracemalloc.start()
            base, _ = tracemalloc.get_traced_memory()
            try:
                rows: Rows = await world.pool(IMAGES)
                added = tracemalloc.get_traced_memory()[1] - base
            finally:
                tracemalloc.stop()

            assert np.array_equal(rows, rows_of(1))
            assert liar.asked == 1
            assert failures(reason) == before + 1
            assert added < MAX_ADDED_BYTES

    asyncio.run(main())


def test_pod_that_lies_waits_longer_every_time_though_its_name_goes_and_comes() -> None:
    async def main() -> None:
        async with watched(liar := Liar(saying(changed(cam=1e30)))) as world:
            named = world.names.found
            for _ in range(40):
                await world.ask()
                world.names.found = set()
                await asyncio.sleep(0.03)
                world.names.found = named
                await asyncio.sleep(0.06)  # long enough for a trial

            # In 3.6 s there is time for pauses of 20 ms, 40 ms, up to 1,280 ms.
            assert 2 <= liar.asked <= 9

    asyncio.run(main())


def test_many_pods_that_lie_fail_no_request() -> None:
    async def main() -> None:
        liars = [Liar(saying(changed(probabilities=np.nan))) for _ in range(5)]
        async with watched(*liars) as world:
            await asyncio.gather(*(world.ask() for _ in range(40)))

            assert sum(liar.asked for liar in liars) >= 5

    asyncio.run(main())


def test_pod_that_hangs_at_its_probe_keeps_no_other_out() -> None:
    async def main() -> None:
        liar, good = Liar(TRUE, write_probe=hang), Liar(TRUE)
        async with watched(liar) as world, good.running():
            world.names.found = world.names.found | {good.url}
            await asyncio.sleep(0.1)  # a fifth of the time that the other may take
            await world.ask()

            assert (liar.asked, good.asked) == (0, 1)

    asyncio.run(main())
