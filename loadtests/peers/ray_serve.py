"""Ray Serve: one replica per core, dynamic batching.

python -m loadtests.peers.ray_serve --port PORT
"""

import argparse
import asyncio
import os
import signal
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from chestxray.engines import Images
from loadtests.baseline import InferencePipeline


@serve.deployment(
    num_replicas=os.cpu_count() or 1, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0}
)
class ChestXRayDeployment:
    """Takes the bytes of a file as the body."""

    def __init__(self) -> None:
        self._pipeline = InferencePipeline(threads=1)

    async def __call__(self, request: Request) -> dict[str, Any]:
        data = await request.body()
        image = await asyncio.to_thread(self._pipeline.decode, data)
        return await self._predict(image)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.002)
    async def _predict(self, images: list[Images]) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._pipeline.predict, np.stack(images))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": parser.parse_args().port})
    serve.run(ChestXRayDeployment.bind(), route_prefix="/v1/analyses")
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    ray.shutdown()
