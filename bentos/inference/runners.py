"""The gateway's view of the two model services: arrays out, rows back, connections mended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import aiohttp
import numpy as np
from bentoml.exceptions import BentoMLException

from bentos.inference.coalescing import Ask, Coalescer, ConnectionLost
from bentos.inference.model import Rows
from bentos.metrics import get_metrics
from bentos.settings import LONGEST_REQUEST_SECONDS
from chestxray.engines import Images
from chestxray.errors import CheckpointError, ModelUnavailable
from chestxray.preprocessing import SIZE

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.05
_READY_TIMEOUT_SECONDS = 0.8
# BentoML's dispatcher learns what a batch costs from its first eleven calls, one by one.
_TRAINING_CALLS = 12

CLASSIFIER = "covid_classifier"
"""As metrics call it."""
BLANK: Images = np.zeros((1, 1, SIZE, SIZE), np.uint8)
"""One image to try a model with."""


class Runners(Protocol):
    """Both models; one row per image, in order."""

    async def judge(self, images: Images) -> Rows:
        """Asks the filter. Raises ModelUnavailable."""

    async def classify(self, images: Images) -> Rows:
        """Asks the classifier. Raises ModelUnavailable."""

    def lanes(self) -> int:
        """Batches that other machines take at once."""


class RemoteRunner:
    """One BentoML service that this one depends on, asked in hops."""

    def __init__(self, service: Any, *methods: str, model: str, stage: str, largest: int) -> None:
        """Each of its `methods` takes one hop at a time."""
        self._service, self._model, self._warm = service, model, False
        self._ways = [partial(_ask, getattr(service.to_async, name), model) for name in methods]
        self.ask = self._ways[0]  # beside all that waits
        self.hops = Coalescer(*self._ways, model=model, stage=stage, largest=largest)

    async def __call__(self, images: Images) -> Rows:
        """Returns one row per image, in order. Raises ModelUnavailable, ValueError."""
        return await self.hops(_checked(images))

    async def ready(self) -> bool:
        """Whether it is warm and answers, said within a second whatever is dead."""
        ready = self._warm and await self._answers()
        get_metrics().runner_ready.labels(self._model).set(ready)
        return ready

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_READY_TIMEOUT_SECONDS):
                return bool(await self._service.is_ready())
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    async def warm_up(self) -> None:
        """Waits for the runner and trains its dispatchers; ready() says no until it is done."""
        for ask in self._ways:
            await _train(ask)
        self._warm = True


def classifier(service: Any, *, largest: int) -> RemoteRunner:
    """The CovidClassifier that a service depends on."""
    return RemoteRunner(
        service,
        "classify",
        "classify_beside",
        model=CLASSIFIER,
        stage="classify",
        largest=largest,
    )


class RemoteRunners:
    """Both models, as services that the gateway depends on."""

    def __init__(self, xray_filter: Any, covid_classifier: Any, *, largest: int) -> None:
        self.judge = RemoteRunner(
            xray_filter, "judge", model="xray_filter", stage="filter", largest=largest
        )
        self.classify = classifier(covid_classifier, largest=largest)

    def lanes(self) -> int:
        """Batches that the classifier pods take at once."""
        return self.classify.hops.lanes

    async def ready(self) -> bool:
        """Whether both models are warm and answer."""
        return all(await asyncio.gather(self.judge.ready(), self.classify.ready()))

    async def warm_up(self) -> None:
        """Waits for both models and trains their dispatchers."""
        await self.judge.warm_up()
        await self.classify.warm_up()


def _checked(images: Images) -> Images:
    """Refuses what would spoil the hop of others. Raises ValueError."""
    if images.shape[1:] != (1, SIZE, SIZE) or images.dtype != np.uint8:
        raise ValueError(
            f"a model takes uint8 (B, 1, {SIZE}, {SIZE}), not {images.dtype} {images.shape}"
        )
    return images


async def _train(ask: Ask) -> None:
    done = 0
    while done < _TRAINING_CALLS:
        try:
            rows = await ask(BLANK)
        except (ConnectionLost, ModelUnavailable):
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if not rows["ok"].all():
            raise CheckpointError("a model fails on a blank image")
        done += 1


async def _ask(method: Callable[..., Awaitable[Rows]], model: str, images: Images) -> Rows:
    """One hop. Raises ConnectionLost where asking again may help: inference is idempotent (trap 2),
    and a model that was killed is started again while the next hop waits at its socket.
    """
    try:
        async with asyncio.timeout(LONGEST_REQUEST_SECONDS):
            rows = await method(images=images)
    except TimeoutError as error:  # no caller waits any longer
        raise ModelUnavailable("a model does not answer; try again") from error
    except (aiohttp.ClientError, OSError, BentoMLException) as error:
        logger.warning("a runner did not answer (%s); asking again", type(error).__name__)
        raise ConnectionLost from error
    get_metrics().runner_images.labels(model, "own").inc(len(images))
    return rows
