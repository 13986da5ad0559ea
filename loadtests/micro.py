"""Times each step of an analysis alone: decoding, RPC overhead, both networks, rendering.

    python -m loadtests.micro --seconds 3

Decoding, the networks and rendering run in this process; "in a decoder" is the same decoding in a
confined process, with the file's way there and the pixels' way back. The RPC overhead comes from
single requests to a running service: the gateway's time in a model stage minus the model's own
time. The CPU of a model call is that of client, wire and batcher, both sides together, with a model
that does nothing.

Prints milliseconds: the mean for RPC overhead and CPU, the median for the others.
"""

import argparse
import asyncio
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from bentos.covid_classifier.service import ROW
from bentos.decoding.decoders import Decoders
from bentos.decoding.protocol import Request
from bentos.inference.client import BLANK, ModelClient
from bentos.inference.server import InferenceServer
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, Stage
from bentos.settings import Settings
from chestxray import cam
from chestxray.cam import PICTURE_SIDE
from chestxray.engines import Images
from chestxray.images import decode
from chestxray.preprocessing import SIZE, prepare
from loadtests.baseline import InferencePipeline
from loadtests.images import EXAMPLES, archive_pool, format_variants
from loadtests.servers import CHESTXRAY, running_server

_GRID = SIZE // 16
_MODELS = {"filter": "xray_filter", "classify": "covid_classifier"}
"""Model of each gateway stage."""


def steps() -> dict[str, Callable[[], Any]]:
    """Returns the steps to time in this process."""
    pipeline = InferencePipeline()
    images = np.stack([pipeline.decode(data) for data in archive_pool(8)])  # (8, 1, SIZE, SIZE)
    picture = decode(archive_pool(1)[0])
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    grid = np.random.default_rng(0).normal(size=(_GRID, _GRID)).astype(np.float32)
    timed: dict[str, Callable[[], Any]] = {}
    for data in format_variants(EXAMPLES / "clear.jpg"):
        with Image.open(io.BytesIO(data)) as file:
            name = f"decode {file.format} {file.width}x{file.height} {file.mode}"
        timed[name] = lambda data=data: prepare(decode(data))
    settings = Settings()
    decoders = Decoders(settings.limits, settings.process_limits, processes=1)
    decoders.start()
    data = archive_pool(1)[0]
    for name, decode_ in (
        ("an archive's JPEG, here", pipeline.decode),
        ("the same, in a decoder", partial(decoders.decode, request=Request(None, picture=False))),
    ):
        timed[name] = partial(decode_, data)
    for name, network in pipeline.networks.items():
        timed[f"{name}, 1 image"] = lambda network=network: network(images[:1])
        timed[f"{name}, 8 images"] = lambda network=network: network(images)
    timed["render"] = lambda: cam.overlay(picture, grid)
    return timed


def milliseconds(step: Callable[[], Any], seconds: float) -> float:
    """Median duration of a step that is repeated for `seconds`."""
    step()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return 1000 * median(times)


async def rpc_overhead(seconds: float) -> dict[str, float]:
    """RPC overhead in milliseconds, by model. Raises ServerNotStarted."""
    requests = [CHESTXRAY.request(data) for data in archive_pool()]
    with running_server(CHESTXRAY, Path(tempfile.gettempdir(), "micro.log")) as service:
        await service.wait_until_ready(requests[0])
        await service.load(requests, clients=1, seconds=seconds / 2)
        before = _samples(service.url)
        await service.load(requests, clients=1, seconds=seconds)
        after = _samples(service.url)
    found = {}
    for stage, model in _MODELS.items():
        waited = _mean(before, after, "chestxray_stage_duration_seconds", stage=stage)
        worked = _mean(before, after, "chestxray_batch_duration_seconds", model=model)
        found[model] = 1000 * (waited - worked)
    return found


class _NullModel:
    """Costs nothing, so that only the call of a model is timed."""

    card, digest = SimpleNamespace(name=ModelName.COVID_CLASSIFIER.value), "none"
    parallel = 1

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        rows = np.zeros(len(images), ROW)
        rows["ok"] = True
        return rows


async def call_cpu(calls: int, *, clients: int) -> float:
    """CPU milliseconds of one call of a model, both sides together: client, wire, batcher."""
    settings = Settings()
    server = InferenceServer(_NullModel(), stage=Stage.CLASSIFY, settings=settings)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.sock"))
        serving = uvicorn.Server(
            uvicorn.Config(server, uds=path, log_level="error", lifespan="off", http="h11")
        )
        task = asyncio.create_task(serving.serve())
        while not serving.started:
            await asyncio.sleep(0.01)
        client = ModelClient(
            f"file://{path}", row=ROW, digest=_NullModel.digest, seconds=10, settings=settings
        )

        async def ask(count: int) -> None:
            for _ in range(count):
                await client(BLANK)

        await ask(20)
        begun = time.process_time()
        await asyncio.gather(*(ask(calls // clients) for _ in range(clients)))
        spent = time.process_time() - begun
        await client.close()
        serving.should_exit = True
        await task
    return 1000 * spent / calls


_Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def _samples(url: str) -> _Samples:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def _mean(before: _Samples, after: _Samples, name: str, **labels: str) -> float:
    total, count = ((f"{name}_{part}", frozenset(labels.items())) for part in ("sum", "count"))
    return (after[total] - before[total]) / (after[count] - before[count])


def main() -> None:
    """Times every step and prints the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="per step")
    flags = parser.parse_args()
    for name, step in steps().items():
        print(f"{name:32} {milliseconds(step, flags.seconds):8.2f} ms", flush=True)
    for clients in (1, 16):
        found = asyncio.run(call_cpu(800, clients=clients))
        print(f"{f'CPU of a model call, {clients} clients':32} {found:8.2f} ms", flush=True)
    for model, found in asyncio.run(rpc_overhead(max(flags.seconds, 2.0))).items():
        print(f"RPC overhead, {model:18} {found:8.2f} ms")


if __name__ == "__main__":
    main()
