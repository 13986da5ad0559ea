"""The gateway's view of the two model services: arrays out, rows back, connections mended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import aiohttp
import numpy as np
from bentoml.exceptions import BentoMLException

from bentos.gateway.coalescing import Coalescer, ConnectionLost
from bentos.runner import Rows
from bentos.settings import LONGEST_REQUEST_SECONDS
from chestxray.engines import Images
from chestxray.errors import CheckpointError, ModelUnavailable
from chestxray.preprocessing import SIZE

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.05
_READY_TIMEOUT_SECONDS = 0.8
# BentoML's dispatcher learns what a batch costs from its first eleven calls, one by one.
_TRAINING_CALLS = 12


class Runners(Protocol):
    """Both models; one row per image, in order."""

    async def judge(self, images: Images) -> Rows:
        """Asks the filter. Raises ModelUnavailable."""

    async def classify(self, images: Images) -> Rows:
        """Asks the classifier. Raises ModelUnavailable."""


class RemoteRunners:
    """The BentoML services that the gateway depends on."""

    def __init__(self, xray_filter: Any, covid_classifier: Any, *, largest: int) -> None:
        self._filter, self._classifier = xray_filter, covid_classifier
        self._judge = Coalescer(
            partial(_ask, xray_filter.to_async.judge),
            model="xray_filter",
            stage="filter",
            largest=largest,
        )
        self._classify = Coalescer(
            partial(_ask, covid_classifier.to_async.classify),
            model="covid_classifier",
            stage="classify",
            largest=largest,
        )
        self._warm = False

    async def judge(self, images: Images) -> Rows:
        return await self._judge(_checked(images))

    async def classify(self, images: Images) -> Rows:
        return await self._classify(_checked(images))

    async def ready(self) -> bool:
        """Whether both models are warm and answer, said within a second whatever is dead."""
        if not self._warm:
            return False
        try:
            async with asyncio.timeout(_READY_TIMEOUT_SECONDS):
                probes = (self._filter.is_ready(), self._classifier.is_ready())
                return all(await asyncio.gather(*probes))
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    async def warm_up(self) -> None:
        """Waits for the runners and trains their dispatchers; ready() says no until it is done."""
        blank = np.zeros((1, 1, SIZE, SIZE), np.uint8)
        for ask in (self.judge, self.classify):
            done = 0
            while done < _TRAINING_CALLS:
                try:
                    rows = await ask(blank)
                    done += 1
                    if not rows["ok"].all():
                        raise CheckpointError("a model fails on a blank image")
                except ModelUnavailable:
                    await asyncio.sleep(_PAUSE_SECONDS)
        self._warm = True


def _checked(images: Images) -> Images:
    """Refuses what would spoil the hop of others. Raises ValueError."""
    if images.shape[1:] != (1, SIZE, SIZE) or images.dtype != np.uint8:
        raise ValueError(
            f"a model takes uint8 (B, 1, {SIZE}, {SIZE}), not {images.dtype} {images.shape}"
        )
    return images


async def _ask(method: Callable[..., Awaitable[Rows]], images: Images) -> Rows:
    """One hop. Raises ConnectionLost where asking again may help: inference is idempotent (trap 2),
    and a model that was killed is started again while the next hop waits at its socket.
    """
    try:
        async with asyncio.timeout(LONGEST_REQUEST_SECONDS):
            return await method(images=images)
    except TimeoutError as error:  # no caller waits any longer
        raise ModelUnavailable("a model does not answer; try again") from error
    except (aiohttp.ClientError, OSError, BentoMLException) as error:
        logger.warning("a runner did not answer (%s); asking again", type(error).__name__)
        raise ConnectionLost from error
