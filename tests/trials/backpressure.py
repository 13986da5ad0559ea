"""Many gateways on one slow classifier pod, which keeps its throughput and wastes no work.

    python -m tests.trials.backpressure

The pod is a real model server over TCP, in a process of its own, with a model that takes a fixed
time per image. Each gateway asks it through its pool, without pause. No image is computed in vain,
so the share of its own speed that the pod keeps is the share of the time that its model is inside a
call: what else runs on the machine lengthens both.
"""

import asyncio
import contextlib
import ctypes
import multiprocessing
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from types import SimpleNamespace
from typing import Any

import numpy as np
import uvicorn

from bentos.covid_classifier.service import ROW
from bentos.http.drain import Drain
from bentos.http.middleware import RequestMiddleware
from bentos.inference.client import ModelClient
from bentos.inference.pool import ModelPool, Pod
from bentos.inference.server import InferenceServer, create_app
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, Stage
from bentos.settings import Settings
from chestxray.engines import Images
from loadtests.load_generator import free_port
from tests.service.fakes import ready
from tests.trials.table import Table

DIGEST, TOKEN = "sha256:the one", "a token that is long enough"
IMAGE = np.zeros((1, 1, 224, 224), np.uint8)
SECONDS_PER_IMAGE = 0.03
CLIENTS = 8
"""Requests that each gateway has in flight."""
MEASURED_SECONDS = 4.0
WANTED_SHARE = 0.9
SPAWN = multiprocessing.get_context("spawn")
LOCAL_MARK = 0.05
"""A mark in the projection of the local model's rows, within the pool's tolerance."""


class WorkCounter:
    """The work that the pod's model has done so far, readable from both processes."""

    def __init__(self) -> None:
        self.images: Synchronized[int] = SPAWN.Value(ctypes.c_longlong)
        self.seconds: Synchronized[float] = SPAWN.Value(ctypes.c_double)


class SlowModel:
    """A model that takes a fixed time per image, and counts the images."""

    card = SimpleNamespace(name="covid_classifier")
    digest = DIGEST
    parallel = 1

    def __init__(self, work: WorkCounter) -> None:
        self._work = work

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        begun = time.monotonic()
        time.sleep(SECONDS_PER_IMAGE * len(images))
        self._work.seconds.value += time.monotonic() - begun
        self._work.images.value += len(images)
        return rows_of(images)


def rows_of(images: Images) -> Rows:
    rows = np.zeros(len(images), ROW)
    rows["ok"], rows["probabilities"] = True, (1, 0, 0)
    return rows


class Gateway:
    """A gateway that sends images to the pod without pause; its local model is slow."""

    def __init__(self, address: str, settings: Settings) -> None:
        client = ModelClient(
            address,
            row=ROW,
            digest=DIGEST,
            seconds=settings.pod_timeout_seconds,
            settings=settings,
        )
        self.pool = ModelPool(self, model=ModelName.COVID_CLASSIFIER)  # type: ignore[arg-type]
        self.pod = Pod(client, self._fail, checked=True)
        self.pool.add(self.pod)
        self.from_pod = 0

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        await asyncio.sleep(CLIENTS * SECONDS_PER_IMAGE)
        rows = rows_of(images)
        rows["projection"] = LOCAL_MARK
        return rows, 0.0

    def _fail(self, error: Exception) -> None:
        raise AssertionError(f"a busy pod was taken for dead: {error}")

    async def ask(self) -> None:
        while True:
            (row,) = await self.pool(IMAGE)
            self.from_pod += not row["projection"].any()


def serve_pod(port: int, work: WorkCounter, settings: Settings) -> None:
    """Runs in the pod's process."""
    model: Any = SlowModel(work)
    server = InferenceServer(model, stage=Stage.CLASSIFY, settings=settings)
    app: Any = RequestMiddleware(create_app(server), Drain(delay=0, timeout=1), ready)
    uvicorn.run(app, port=port, log_level="error", lifespan="off", http="h11", ws="none")


@contextlib.asynccontextmanager
async def pod_of(work: WorkCounter, settings: Settings) -> AsyncIterator[str]:
    port = free_port()
    process = SPAWN.Process(target=serve_pod, args=(port, work, settings), daemon=True)
    process.start()
    try:
        await asyncio.to_thread(wait_until_listening, port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


def wait_until_listening(port: int, process: BaseProcess) -> None:
    while process.is_alive():
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise RuntimeError("the pod's process ended before it listened")


async def wait_for_end_of_batch(work: WorkCounter) -> None:
    """Waits for the end of a batch, so that the measured time holds whole batches."""
    before = work.images.value
    while work.images.value == before:
        await asyncio.sleep(0.002)


async def share_of_throughput(count: int, **more: Any) -> float:
    """The share of its throughput that a pod keeps under many gateways.

    Raises AssertionError if the pod computes images that nobody waits for.
    """
    settings = Settings(pod_token=TOKEN, pod_timeout_seconds=2, **more)
    work = WorkCounter()
    async with pod_of(work, settings) as address:
        gateways = [Gateway(address, settings) for _ in range(count)]
        asking = [asyncio.create_task(each.ask()) for each in gateways for _ in range(CLIENTS)]
        await asyncio.sleep(1)
        await wait_for_end_of_batch(work)
        busy, seconds = -work.seconds.value, -time.monotonic()
        await asyncio.sleep(MEASURED_SECONDS)
        await wait_for_end_of_batch(work)
        busy, seconds = busy + work.seconds.value, seconds + time.monotonic()
        useful = sum(each.from_pod for each in gateways)
        assert work.images.value <= useful + settings.max_model_batch  # one batch may be on its way
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.sleep(2 * SECONDS_PER_IMAGE * settings.max_model_batch)
        left = work.images.value
        await asyncio.sleep(0.5)
        assert work.images.value == left  # nobody waits, nothing is computed
        await asyncio.gather(*(each.pod.client.close() for each in gateways))
    return busy / seconds


async def trial(counts: Sequence[int] = (1, 2, 4, 6, 10, 20)) -> Table:
    """Measures one pod under each number of gateways."""
    how = (
        f"A pod of {SECONDS_PER_IMAGE * 1000:.0f} ms per image, "
        f"under gateways with {CLIENTS} requests in flight each."
    )
    table = Table("backpressure", how)
    for count in counts:
        share = await share_of_throughput(count)
        table.add(
            f"share of the pod's own speed under {count} gateways",
            f"{share:.0%}",
            f"{WANTED_SHARE:.0%}",
            met=share >= WANTED_SHARE,
            timed=True,
        )
    table.add("images computed for nobody, or pods taken for dead", 0, "0")  # either would raise
    return table


if __name__ == "__main__":
    found = asyncio.run(trial())
    print(found.render())
    found.write()
    sys.exit(not found.met)
