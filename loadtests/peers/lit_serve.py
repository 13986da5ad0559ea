"""LitServe: one worker per core, dynamic batching.

python -m loadtests.peers.lit_serve --port PORT
"""

import argparse
import os
from typing import Any

import litserve as ls
import numpy as np
from fastapi import Request

from chestxray.engines import Images
from loadtests.baseline import InferencePipeline


class ChestXRayAPI(ls.LitAPI):
    """Takes a multipart form with the field `image`."""

    def setup(self, device: str) -> None:
        self._pipeline = InferencePipeline(threads=1)

    def decode_request(self, request: Request) -> Images:
        return self._pipeline.decode(request["image"].file.read())

    def batch(self, inputs: list[Images]) -> Images:
        return np.stack(inputs)

    def predict(self, x: Images) -> list[dict[str, Any]]:
        return self._pipeline.predict(x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    api = ChestXRayAPI(max_batch_size=16, batch_timeout=0.002, api_path="/v1/analyses")
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=os.cpu_count() or 1)
    server.run("127.0.0.1", parser.parse_args().port, generate_client_file=False)
