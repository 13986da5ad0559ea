"""Measures the service's throughput with its networks on a GPU, and the GPU's own limit.

Three measurements bound each other: the engine on batches that are already in memory; the bare
loop, which decodes with one thread per core while the GPU runs the previous batch; and the service
over HTTP. Utilisation is sampled from NVML.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from chestxray.cores import usable_cores
from chestxray.engines import Images
from loadtests.baseline import InferencePipeline
from loadtests.images import archive_pool
from loadtests.servers import CHESTXRAY, running_server
from training.model_card import table

BATCHES = (1, 2, 4, 8, 16, 32, 64)
CLIENTS = (1, 8, 32, 64, 128)
SERVED_BATCH = 32
"""The service's CHESTXRAY_MAX_MODEL_BATCH during the measurement."""
_SAMPLE_SECONDS = 0.1
_WARM_SECONDS = 3.0


def measure(*, device: str, seconds: float, clients: Sequence[int] = CLIENTS) -> dict[str, Any]:
    """Measures engine, bare loop and service, each for this many seconds; returns plain values."""
    files = archive_pool()
    pipeline = InferencePipeline(device)
    images = np.stack([pipeline.decode(data) for data in files])
    return {
        "engines": {
            name: {str(b): _engine_rate(engine, images, b, seconds) for b in BATCHES}
            for name, engine in pipeline.networks.items()
        },
        "bare": {
            str(b): _measure_bare_loop(pipeline, files, b, seconds, device)
            for b in BATCHES
            if b >= 8
        },
        "service": asyncio.run(
            _measure_service(files, device=device, seconds=seconds, clients=clients)
        ),
        "cores": usable_cores(),
    }


def _engine_rate(engine: Any, images: Images, batch: int, seconds: float) -> float:
    """Images per second of one network, including copying the outputs back."""
    asked = np.resize(images, (batch, *images.shape[1:]))
    for _ in range(3):
        engine(asked)
    done, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        engine(asked)
        done += batch
    return done / (time.perf_counter() - started)


def _measure_bare_loop(
    pipeline: InferencePipeline, files: Sequence[bytes], batch: int, seconds: float, device: str
) -> dict[str, float]:
    """Images per second of decoding and both networks, with the GPU's utilisation."""
    chosen = [files[i % len(files)] for i in range(batch)]
    with ThreadPoolExecutor(usable_cores()) as pool, utilisation(device) as busy:

        def decoded() -> Iterator[Images]:
            ahead = [pool.submit(pipeline.decode, data) for data in chosen]
            while True:
                ready = ahead
                ahead = [pool.submit(pipeline.decode, data) for data in chosen]
                yield np.stack([each.result() for each in ready])

        batches = decoded()
        pipeline.predict(next(batches))
        done, started = 0, time.perf_counter()
        while time.perf_counter() < started + seconds:
            pipeline.predict(next(batches))
            done += batch
        rate = done / (time.perf_counter() - started)
    return {"rate": rate, "utilisation": mean(busy) if busy else float("nan")}


async def _measure_service(
    files: Sequence[bytes], *, device: str, seconds: float, clients: Sequence[int]
) -> dict[str, Any]:
    """Throughput, latency and utilisation by number of clients."""
    own = (("CHESTXRAY_DEVICE", device), ("CHESTXRAY_MAX_MODEL_BATCH", str(SERVED_BATCH)))
    server = replace(CHESTXRAY, environment=(*CHESTXRAY.environment, *own))
    requests = [server.request(data) for data in files]
    found: dict[str, Any] = {}
    with running_server(server, Path(tempfile.gettempdir(), "gpu-service.log")) as service:
        start = await service.wait_until_ready(requests[0])
        await service.load(requests, clients=max(clients), seconds=_WARM_SECONDS)
        for count in clients:
            with utilisation(device) as busy:
                measured = await service.load(requests, clients=count, seconds=seconds)
            found[str(count)] = {
                "rate": measured.rate,
                "p50": measured.percentile(50),
                "p99": measured.percentile(99),
                "cpu_seconds": measured.cost,
                "failures": measured.failures,
                "utilisation": mean(busy) if busy else float("nan"),
            }
        found["start_seconds"], found["megabytes"] = start, service.megabytes()
    return found


@contextmanager
def utilisation(device: str) -> Iterator[list[float]]:
    """Samples GPU utilisation while the block runs; empty on a CPU."""
    samples: list[float] = []
    if not device.startswith("cuda"):
        yield samples
        return
    import pynvml

    pynvml.nvmlInit()
    handle, stop = pynvml.nvmlDeviceGetHandleByIndex(0), threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            samples.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def render(found: dict[str, Any]) -> list[str]:
    """Renders the results as Markdown."""
    engines, bare, service = found["engines"], found["bare"], found["service"]
    best = max(each["rate"] for each in bare.values())
    batches = [
        (
            batch,
            *(f"{engine[batch]:.0f}" for engine in engines.values()),
            *_bare_loop_cells(bare, batch),
        )
        for batch in map(str, BATCHES)
    ]
    clients = [
        (
            count,
            f"{row['rate']:.1f}",
            f"{row['rate'] / best:.2f}",
            f"{1000 * row['p50']:.0f}",
            f"{1000 * row['p99']:.0f}",
            f"{row['utilisation']:.0%}",
            f"{1000 * row['cpu_seconds']:.1f}",
            str(sum(row["failures"].values())),
        )
        for count, row in service.items()
        if count.isdigit()
    ]
    return [
        f"Networks and bare loop on {found['cores']} cores, images a second by batch:",
        "",
        *table(("batch", *engines, "bare loop", "GPU busy in the bare loop"), batches),
        "",
        f"The service, batches up to {SERVED_BATCH}:",
        "",
        *table(
            ("clients", "images/s", "of the bare loop", "p50 ms", "p99 ms", "GPU busy",
             "CPU ms an image", "failures"),
            clients,
        ),
    ]  # fmt: skip


def _bare_loop_cells(bare: dict[str, Any], batch: str) -> tuple[str, str]:
    if batch not in bare:
        return "", ""
    return f"{bare[batch]['rate']:.0f}", f"{bare[batch]['utilisation']:.0%}"
