"""Which server an image goes to: a classifier pod while there are any, or else the local model.

Several pods share the images by their expected delay. A pod that is busy refuses at
once and stays in use; one that fails is closed, and the local model answers in its place. So bad
pods cost a request one timeout at most, and never its answer.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bentos.admission import ledger
from bentos.inference.client import BLANK, ModelClient
from bentos.inference.errors import BackendError
from bentos.inference.validation import agree, implausible
from bentos.inference.wire import Rows
from bentos.metric_labels import Backend, ModelName
from bentos.metrics import get_metrics
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable
from chestxray.preprocessing import SIZE

logger = logging.getLogger(__name__)

_TRIES = 3
"""Of an image at the local model, which is started again where an image has killed it."""
_PAUSE_SECONDS = 0.05
_WARM_UP_IMAGES = 4
_BUSY_SECONDS = 0.2
"""A pod that refused is not asked for so long. Its queue is seconds long, so it never idles."""
_CHECKED_SHARE = 1 / 64
"""Of a pod's answers: the local model answers these too, and must agree. The first is one."""
_WEIGHT = 0.2
"""Of the latest answer in a pod's moving average of seconds per image."""


@dataclass(eq=False)
class Pod:
    """A classifier pod that answers."""

    client: ModelClient
    on_failure: Callable[[BackendError], None]
    outstanding: int = 0  # images
    seconds_per_image: float = 0.0
    busy_until: float = 0.0
    checked: bool = False  # its first answer

    @property
    def expected_delay(self) -> float:
        """Seconds until another image would be answered, as the latest answers suggest."""
        return (self.outstanding + 1) * self.seconds_per_image


class ModelPool:
    """One model on all servers that have it."""

    def __init__(self, local: ModelClient, *, model: ModelName) -> None:
        """`model` is its name in metrics."""
        self.local, self._model = local, model
        self._pods: list[Pod] = []
        self._warm = False
        self._retrying = asyncio.Lock()

    async def __call__(self, images: Images) -> Rows:
        """Returns rows (B,) of `images` (B, 1, SIZE, SIZE). Raises ModelUnavailable, ValueError."""
        if images.shape[1:] != (1, SIZE, SIZE) or images.dtype != np.uint8:
            raise ValueError(
                f"a model takes uint8 (B, 1, {SIZE}, {SIZE}), not {images.dtype} {images.shape}"
            )
        for pod in sorted(self._pods, key=_by_random_delay):
            if pod.busy_until > time.monotonic():
                continue
            try:
                return await self._ask_pod(pod, images)
            except BackendError as error:
                if error.reason != "busy":
                    pod.on_failure(error)
                    break
                pod.busy_until = time.monotonic() + _BUSY_SECONDS
        return await self._ask_local(images)

    @property
    def pods(self) -> int:
        """How many pods are in use."""
        return len(self._pods)

    def add(self, pod: Pod) -> None:
        """Uses a pod from now on."""
        self._pods.append(pod)
        get_metrics().classifier_pods.set(len(self._pods))

    def remove(self, pod: Pod) -> None:
        """Sends nothing more to a pod; what it has in flight may still be answered."""
        self._pods.remove(pod)
        get_metrics().classifier_pods.set(len(self._pods))

    async def ready(self) -> bool:
        """Returns within a second whether the local model is warm and answers."""
        ready = self._warm and await self.local.is_ready()
        get_metrics().model_ready.labels(self._model).set(ready)
        return ready

    async def warm_up(self, *, most: int) -> None:
        """Waits for the local model, and measures its speed for admission control.

        It takes no more than `most` images at once.
        """
        while not await self.local.is_ready():
            await asyncio.sleep(_PAUSE_SECONDS)
        await self._ask_local(np.repeat(BLANK, min(most, _WARM_UP_IMAGES), axis=0))
        self._warm = True

    async def _ask_local(self, images: Images) -> Rows:
        """Retries where the connection is lost: inference is idempotent.

        An image may have killed the model. So retries go one at a time, in a batch of their own,
        and an image that kills it again takes the tries of no other.
        """
        try:
            return await self._ask_once(images)
        except BackendError as error:
            self._check_retryable(error)
        for _ in range(_TRIES - 1):
            async with self._retrying:
                try:
                    return await self._ask_once(images, alone=True)
                except BackendError as error:
                    self._check_retryable(error)
                    await asyncio.sleep(_PAUSE_SECONDS)
        raise ModelUnavailable("a model does not answer; try again")

    def _check_retryable(self, error: BackendError) -> None:
        if error.reason != "unreachable":
            raise ModelUnavailable("a model does not answer; try again") from error
        logger.warning("%s lost a connection (%s); retrying", self._model, error)

    async def _ask_once(self, images: Images, *, alone: bool = False) -> Rows:
        rows, seconds = await self.local(images, alone=alone)
        ledger.charge(self._model, seconds, len(images))
        get_metrics().model_images.labels(self._model, Backend.LOCAL).inc(len(images))
        return rows

    async def _ask_pod(self, pod: Pod, images: Images) -> Rows:
        count, started = len(images), time.monotonic()
        pod.outstanding += count
        outstanding = pod.outstanding
        try:
            rows, seconds = await pod.client(images)
        finally:
            pod.outstanding -= count
        if complaint := implausible(rows):
            raise BackendError("implausible", complaint)
        each = (time.monotonic() - started) / outstanding
        pod.seconds_per_image += _WEIGHT * (each - pod.seconds_per_image)
        await self._compare(pod, images, rows)
        ledger.charge(self._model, seconds / max(1, self.pods), count)
        get_metrics().model_images.labels(self._model, Backend.PODS).inc(count)
        return rows

    async def _compare(self, pod: Pod, images: Images, rows: Rows) -> None:
        """Lets the local model answer what failed, or a sample, too. Raises BackendError."""
        asked = ~rows["ok"]
        if not pod.checked or random.random() < _CHECKED_SHARE:
            asked[random.randrange(len(rows))] = True
        if not asked.any():
            return
        pod.checked = True
        try:
            own, _ = await self.local(images[asked])
        except BackendError:  # it restarts; the next answer is compared
            pod.checked = False
            return
        if not agree(rows[asked], own):
            raise BackendError("wrong", "the local model answers otherwise")


def _by_random_delay(pod: Pod) -> float:
    """A random place in the order of asking: the lowest has a chance of 1 / delay squared.

    So a fast pod gets most images, and the estimate of a slow one never gets old.
    """
    return random.expovariate(1) * pod.expected_delay**2
