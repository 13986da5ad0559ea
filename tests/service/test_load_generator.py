"""A real service is measured, and every peer is given the reading that it gives itself."""

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
from loadtests.contestants import CHESTXRAY, form
from loadtests.images import archive_pool
from loadtests.measuring import NotStarted, Request, Service, free_port
from loadtests.reading import Reader, in_batches
from tests.conftest import ROOT
from tests.service.server import Server

EXAMPLES = sorted((ROOT / "web" / "examples").glob("*.jpg"))


def measured(server: Server) -> Service:
    return Service(server.url, server.process.pid)


def test_clients_post_all_images_and_the_processes_pay(server: Server) -> None:
    files = archive_pool(2)
    alone = [CHESTXRAY.request(data) for data in files]
    together = [form(files, "/v1/analyses/batch")]

    one = asyncio.run(measured(server).load(alone, clients=2, count=6))
    two = asyncio.run(measured(server).load(together, clients=1, count=3))

    assert (one.images, len(one.latencies)) == (6, 6)
    assert (two.images, len(two.latencies)) == (6, 3)
    assert not one.failures and not two.failures
    assert one.cpu_seconds > 0 and 0 < one.percentile(50) <= one.seconds


def test_load_ends_in_time_and_counts_what_fails(server: Server) -> None:
    garbage = Request("/v1/analyses", {"Content-Type": "image/jpeg"}, b"no image")

    found = asyncio.run(measured(server).load([garbage], clients=2, seconds=1.0))

    assert found.images == 0
    assert set(found.failures) == {415}
    assert 1.0 <= found.seconds < 10.0


def test_who_never_answers_has_not_started() -> None:
    service = Service(f"http://127.0.0.1:{free_port()}", os.getpid())

    with pytest.raises(NotStarted):
        asyncio.run(service.start(CHESTXRAY.request(b""), seconds=0.2))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_peers_read_what_the_service_reads(client: httpx.Client, path: Path) -> None:
    image = path.read_bytes()
    reading = Reader().read_file(image)

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


class Counting:
    """Stands in for a reader, which tests elsewhere compare with the service."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def decode(self, data: bytes) -> Images:
        return np.frombuffer(data, np.uint8)

    def read(self, images: Images) -> list[dict[str, Any]]:
        time.sleep(0.01)
        self.sizes.append(len(images))
        return []


def test_bare_loop_counts_what_it_does() -> None:
    readers = [Counting(), Counting()]

    rate, cost = in_batches(cast("list[Reader]", readers), [b"a", b"b"], 2, seconds=0.3)

    done = sum(sum(reader.sizes) for reader in readers)
    assert all(set(reader.sizes) == {2} for reader in readers)
    assert done / 0.5 < rate <= done / 0.3
    assert 0 <= cost < 0.01
