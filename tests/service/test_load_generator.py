"""Benchmarks measure a running service, and the pipeline of the peers returns the same results."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest

from chestxray.engines import Images
from chestxray.labels import FINDINGS
from loadtests.baseline import InferencePipeline, measure_batches
from loadtests.cold_start import cold_start
from loadtests.images import archive_pool
from loadtests.load_generator import Request, ServerNotStarted, ServerProcess, free_port
from loadtests.servers import CHESTXRAY, multipart_request
from tests.conftest import ROOT
from tests.service.server import Server

EXAMPLES = sorted((ROOT / "web" / "examples").glob("*.jpg"))


def measured(server: Server) -> ServerProcess:
    return ServerProcess(server.url, server.process.pid)


def test_load_counts_images_latencies_and_cpu_time(server: Server) -> None:
    files = archive_pool(2)
    alone = [CHESTXRAY.request(data) for data in files]
    together = [multipart_request(files, "/v1/analyses/batch")]

    one = asyncio.run(measured(server).load(alone, clients=2, count=6))
    two = asyncio.run(measured(server).load(together, clients=1, count=3))

    assert (one.images, len(one.latencies)) == (6, 6)
    assert (two.images, len(two.latencies)) == (6, 3)
    assert not one.failures and not two.failures
    assert one.cpu_seconds > 0 and 0 < one.percentile(50) <= one.seconds


def test_load_ends_in_time_and_counts_failures(server: Server) -> None:
    garbage = Request("/v1/analyses", {"Content-Type": "image/jpeg"}, b"no image")

    found = asyncio.run(measured(server).load([garbage], clients=2, seconds=1.0))

    assert found.images == 0
    assert set(found.failures) == {415}
    assert 1.0 <= found.seconds < 10.0


def test_service_that_never_answers_raises_not_started() -> None:
    service = ServerProcess(f"http://127.0.0.1:{free_port()}", os.getpid())

    with pytest.raises(ServerNotStarted):
        asyncio.run(service.wait_until_ready(CHESTXRAY.request(b""), seconds=0.2))


def test_cold_start_lasts_until_the_first_answer() -> None:
    seconds = asyncio.run(cold_start(CHESTXRAY, archive_pool()[0]))

    assert 0.1 < seconds < 120


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_pipeline_returns_the_same_result_as_the_service(client: httpx.Client, path: Path) -> None:
    image = path.read_bytes()
    reading = InferencePipeline().predict_file(image)

    answer = client.post("/v1/analyses", content=image, headers={"Content-Type": "image/jpeg"})
    body = answer.json()

    assert (answer.status_code == 200) == ("probabilities" in reading)
    scores = body["filter"]["scores"]
    assert np.allclose(
        [reading["filter"][name] for name in scores], list(scores.values()), atol=1e-4
    )
    if answer.status_code == 200:
        found = body["prediction"]["probabilities"]
        expected = [reading["probabilities"][finding] for finding in FINDINGS]
        assert np.allclose(expected, [found[finding] for finding in FINDINGS], atol=1e-4)
        assert np.allclose(reading["heatmap"], body["heatmap"]["grid"], atol=1e-4)


class CountingPipeline:
    """A fake pipeline that counts the images of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def decode(self, data: bytes) -> Images:
        return np.frombuffer(data, np.uint8)

    def predict(self, images: Images) -> list[dict[str, Any]]:
        time.sleep(0.01)
        self.sizes.append(len(images))
        return []


def test_batch_loop_reports_its_image_rate() -> None:
    pipelines = [CountingPipeline(), CountingPipeline()]

    started = time.monotonic()
    rate, cost = measure_batches(
        cast("list[InferencePipeline]", pipelines), [b"a", b"b"], 2, seconds=0.3
    )
    elapsed = time.monotonic() - started

    done = sum(sum(pipeline.sizes) for pipeline in pipelines)
    assert all(set(pipeline.sizes) == {2} for pipeline in pipelines)
    assert done / elapsed <= rate <= done / 0.3
    assert 0 <= cost < 0.01
