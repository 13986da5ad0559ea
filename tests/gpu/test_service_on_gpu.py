"""The whole service with its networks on a GPU."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np

from chestxray.labels import FINDINGS
from loadtests.images import archive_pool
from loadtests.servers import CHESTXRAY, running_server


def probabilities(device: str, log: Path) -> list[list[float]]:
    """The service's probabilities for a few radiographs, in label order."""
    files = archive_pool(3)
    server = replace(CHESTXRAY, environment=(("CHESTXRAY_DEVICE", device),))
    with running_server(server, log) as service:
        asyncio.run(service.wait_until_ready(server.request(files[0])))
        found = []
        for data in files:
            answer = httpx.post(
                f"{service.url}/v1/analyses",
                content=data,
                headers={"Content-Type": "application/octet-stream"},
                timeout=60,
            )
            answer.raise_for_status()
            found.append([answer.json()["prediction"]["probabilities"][name] for name in FINDINGS])
        return found


def test_service_gives_the_same_probabilities_on_gpu_and_cpu(tmp_path: Path) -> None:
    on_gpu, on_cpu = (probabilities(device, tmp_path / device) for device in ("cuda", "cpu"))

    assert np.abs(np.array(on_gpu) - np.array(on_cpu)).max() < 0.02
