"""NVIDIA's PyTriton: Triton's HTTP server and dynamic batcher, one Python instance per core.

python -m loadtests.peers.py_triton --port PORT
"""

import argparse
import json
import os

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from loadtests.baseline import InferencePipeline


class ChestXRayModel:
    """Takes files in a BYTES tensor and returns JSON in another, both (B, 1)."""

    def __init__(self) -> None:
        self._pipeline = InferencePipeline(threads=1)

    @batch
    def infer(self, image: np.ndarray) -> dict[str, np.ndarray]:
        images = np.stack([self._pipeline.decode(data) for (data,) in image])
        predictions = [[json.dumps(p).encode()] for p in self._pipeline.predict(images)]
        return {"prediction": np.array(predictions, object)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=port,
        grpc_address="127.0.0.1",
        grpc_port=port + 1,
        metrics_port=port + 2,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="chestxray",
            infer_func=[ChestXRayModel().infer for _ in range(os.cpu_count() or 1)],
            inputs=[Tensor(name="image", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="prediction", dtype=bytes, shape=(1,))],
            config=ModelConfig(
                max_batch_size=16, batcher=DynamicBatcher(max_queue_delay_microseconds=2000)
            ),
        )
        triton.serve()
