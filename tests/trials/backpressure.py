"""Many gateways on one slow classifier pod: it works at its own speed, and for nobody in vain.

    python -m tests.trials.backpressure

The pod is a real model server over TCP with a model that takes a fixed time per image. Each gateway
asks it through its pool, without pause.
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
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
from loadtests.measuring import free_port
from tests.service.fakes import ready
from tests.trials.table import Table

DIGEST, TOKEN = "sha256:the one", "a token that is long enough"
IMAGE = np.zeros((1, 1, 224, 224), np.uint8)
SECONDS_PER_IMAGE = 0.03
CLIENTS = 8
"""Requests that each gateway has in flight."""
MEASURED_SECONDS = 4.0
WANTED_SHARE = 0.9
LOCAL_MARK = 0.05
"""In the projection of the local model's rows; the pool takes them for the same as the pod's."""


class SlowModel:
    """Takes its time for every image, and counts them."""

    card = SimpleNamespace(name="covid_classifier")
    digest = DIGEST
    parallel = 1

    def __init__(self) -> None:
        self.images = 0
        self._lock = threading.Lock()

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        time.sleep(SECONDS_PER_IMAGE * len(images))
        self.images += len(images)
        return rows_of(images)


def rows_of(images: Images) -> Rows:
    rows = np.zeros(len(images), ROW)
    rows["ok"], rows["probabilities"] = True, (1, 0, 0)
    return rows


class Gateway:
    """Asks the pod without pause; what the pod refuses its local model answers slowly."""

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


@contextlib.asynccontextmanager
async def pod_of(model: SlowModel, settings: Settings) -> AsyncIterator[str]:
    server = InferenceServer(model, stage=Stage.CLASSIFY, settings=settings)  # type: ignore[arg-type]
    app: Any = RequestMiddleware(create_app(server), Drain(delay=0, timeout=1), ready)
    port = free_port()
    serving = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="error", lifespan="off", http="h11", ws="none")
    )
    task = asyncio.create_task(serving.serve())
    while not serving.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.should_exit = True
        await task


async def useful_images_per_second(count: int, **more: Any) -> float:
    """Of one pod under so many gateways."""
    settings = Settings(pod_token=TOKEN, pod_timeout_seconds=2, **more)
    model = SlowModel()
    async with pod_of(model, settings) as address:
        gateways = [Gateway(address, settings) for _ in range(count)]
        asking = [asyncio.create_task(each.ask()) for each in gateways for _ in range(CLIENTS)]
        await asyncio.sleep(1)
        before, computed, begun = sum(each.from_pod for each in gateways), model.images, time.time()
        await asyncio.sleep(MEASURED_SECONDS)
        seconds = time.time() - begun
        useful = sum(each.from_pod for each in gateways) - before
        assert model.images - computed <= useful + settings.max_model_batch  # in flight now
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.sleep(2 * SECONDS_PER_IMAGE * settings.max_model_batch)
        left = model.images
        await asyncio.sleep(0.5)
        assert model.images == left  # nobody waits, nothing is computed
        await asyncio.gather(*(each.pod.client.close() for each in gateways))
    return useful / seconds


async def trial(counts: Sequence[int] = (1, 2, 4, 6, 10, 20)) -> Table:
    """Measures one pod under these numbers of gateways."""
    speed = 1 / SECONDS_PER_IMAGE
    how = f"A pod of {speed:.0f} images/s under gateways with {CLIENTS} requests in flight each."
    table = Table("backpressure", how)
    for count in counts:
        found = await useful_images_per_second(count)
        share = found / speed
        table.add(
            f"useful images/s of {count} gateways",
            f"{found:.1f} ({share:.0%})",
            f"{WANTED_SHARE:.0%} of the pod's own speed",
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
