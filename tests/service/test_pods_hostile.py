"""Pods that pass the probe and then answer wrongly, stall or flood: no request fails."""

import asyncio
import contextlib
import math
import time
import tracemalloc
from collections.abc import AsyncIterator

import numpy as np
import pytest

from bentos.inference import discovery, pool
from bentos.inference.wire import Rows
from bentos.metrics import get_metrics
from tests import waiting
from tests.service.malicious_pods import (
    CORRECT,
    KINDS,
    MIB,
    MaliciousPod,
    answer_with_rows,
    hang,
    writer_of,
)
from tests.service.test_pods import IMAGES, GatewayPods, NameService, rows_of

MAX_ADDED_BYTES = 8 * MIB
"""Includes the fake pod's buffers; most of it are 256 KB of parsed `100 Continue` responses."""


def failures(reason: str) -> float:
    value: float = get_metrics().pod_failures.labels(reason)._value.get()
    return value


@contextlib.asynccontextmanager
async def discovered_pods(
    *malicious_pods: MaliciousPod, seconds: float = 10
) -> AsyncIterator[GatewayPods]:
    async with contextlib.AsyncExitStack() as stack:
        for malicious in malicious_pods:
            await stack.enter_async_context(malicious.running())
        pods = GatewayPods(NameService(*malicious_pods), pod_seconds=seconds)  # type: ignore[arg-type]
        watching = asyncio.create_task(pods.discovery.run())
        try:
            await pods.used(sum(malicious.write_probe is None for malicious in malicious_pods))
            yield pods
            assert not watching.done()
        finally:
            watching.cancel()
            await asyncio.wait([watching])


@pytest.fixture(autouse=True)
def fast_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_RESOLVE_SECONDS", 0.02)
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_malicious_pod_is_dropped_and_counted_and_no_request_fails(kind: str) -> None:
    reason, write = KINDS[kind]

    async def main() -> None:
        seconds = 0.5 if reason == "timeout" else 10
        async with discovered_pods(malicious := MaliciousPod(write), seconds=seconds) as pods:
            before = failures(reason)
            tracemalloc.start()
            base, _ = tracemalloc.get_traced_memory()
            try:
                rows: Rows = await pods.pool(IMAGES)
                added = tracemalloc.get_traced_memory()[1] - base
            finally:
                tracemalloc.stop()

            assert np.array_equal(rows, rows_of(1))
            assert malicious.requests == 1
            assert failures(reason) == before + 1
            assert added < MAX_ADDED_BYTES

    asyncio.run(main())


def test_retry_delay_of_a_malicious_pod_grows_although_its_name_reappears() -> None:
    async def main() -> None:
        async with discovered_pods(
            malicious := MaliciousPod(writer_of(answer_with_rows(cam=1e30)))
        ) as pods:
            named, started = pods.names.found, time.monotonic()
            for _ in range(40):
                await pods.ask()
                pods.names.found = set()
                await asyncio.sleep(0.03)
                pods.names.found = named
                await asyncio.sleep(0.06)  # long enough for a trial

            # The pauses are of 20 ms, 40 ms, 80 ms ...: nine requests in the 3.6 s of the rounds.
            elapsed = time.monotonic() - started
            assert 2 <= malicious.requests <= 2 + math.log2(elapsed / 0.02)

    asyncio.run(main())


def test_no_request_fails_with_many_malicious_pods() -> None:
    async def main() -> None:
        malicious_pods = [
            MaliciousPod(writer_of(answer_with_rows(probabilities=np.nan))) for _ in range(5)
        ]
        async with discovered_pods(*malicious_pods) as pods:
            await asyncio.gather(*(pods.ask() for _ in range(40)))

            assert sum(malicious.requests for malicious in malicious_pods) >= 5

    asyncio.run(main())


def test_pod_hanging_at_its_probe_does_not_block_another_pod() -> None:
    async def main() -> None:
        malicious, good = MaliciousPod(CORRECT, write_probe=hang), MaliciousPod(CORRECT)
        async with discovered_pods(malicious) as pods, good.running():
            pods.names.found = pods.names.found | {good.url}
            await waiting.until_async(lambda: pods.pool.pods, seconds=pods.pod_seconds / 2)
            await pods.ask()

            assert (malicious.requests, good.requests) == (0, 1)

    asyncio.run(main())
