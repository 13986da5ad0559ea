"""MLServer: one worker per core, adaptive batching, V2 inference protocol.

python -m loadtests.peers.ml_server --port PORT
"""

import argparse
import asyncio
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import Base64Codec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from loadtests.baseline import InferencePipeline


class ChestXRayModel(MLModel):
    """Takes base64-encoded files in a BYTES tensor and returns JSON in another."""

    async def load(self) -> bool:
        self._pipeline = InferencePipeline(threads=1)
        self._threads = ThreadPoolExecutor(1)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        files = Base64Codec.decode_input(payload.inputs[0])
        loop = asyncio.get_running_loop()
        predictions = await loop.run_in_executor(self._threads, self._predict, files)
        output = StringCodec.encode_output("prediction", predictions)
        return InferenceResponse(model_name=self.name, outputs=[output])

    def _predict(self, files: list[bytes]) -> list[str]:
        images = np.stack([self._pipeline.decode(data) for data in files])
        return [json.dumps(prediction) for prediction in self._pipeline.predict(images)]


async def serve(port: int) -> None:
    """Serves until stopped."""
    settings = Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_port=port + 2,
        parallel_workers=os.cpu_count() or 1,
        metrics_dir=tempfile.mkdtemp(),
        debug=False,
    )
    model = ModelSettings(
        name="chestxray",
        implementation="loadtests.peers.ml_server.ChestXRayModel",
        max_batch_size=16,
        max_batch_time=0.002,
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
