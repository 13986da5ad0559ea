"""A model for tests of the batcher, and a batcher over it."""

import asyncio
import threading
import time

import numpy as np

from bentos.inference.batcher import Answer, Batcher
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, Stage
from chestxray.engines import Images


class FakeModel:
    """A model that answers each image with its own value once the gate is open."""

    def __init__(self, seconds_per_image: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.loaded: list[bool] = []
        self.gate = threading.Event()
        self.failing = False
        self._seconds = seconds_per_image

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        self.batches.append(images[:, 0].tolist())
        self.loaded.append(loaded)
        assert self.gate.wait(10)
        time.sleep(self._seconds * len(images))
        if self.failing:
            raise ConnectionError
        return images[:, 0]


def open_model(seconds_per_image: float = 0.0) -> FakeModel:
    model = FakeModel(seconds_per_image)
    model.gate.set()
    return model


def batcher_over(
    model: FakeModel, *, max_batch: int = 4, max_waiting: int = 64, parallel: int = 1
) -> Batcher:
    return Batcher(
        model,
        model=ModelName.XRAY_FILTER,
        stage=Stage.FILTER,
        max_batch=max_batch,
        max_waiting=max_waiting,
        parallel=parallel,
    )


def images(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)[:, None]


async def started(model: FakeModel, batches: int = 1) -> None:
    """Returns once the model has received this many batches."""
    async with asyncio.timeout(5):
        while len(model.batches) < batches:
            await asyncio.sleep(0.001)


def values(answers: list[Answer]) -> list[list[int]]:
    return [answer.rows.tolist() for answer in answers]
