"""The gateway's side of a hop: broken connections are mended, dead models are noticed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import aiohttp
import numpy as np
import pytest
from bentoml.exceptions import ServiceUnavailable

from bentos.inference.runners import RemoteRunners, Runners
from chestxray.errors import ModelUnavailable

IMAGES = np.zeros((1, 1, 224, 224), np.uint8)
ROWS = np.zeros(1, [("ok", "?")])
ROWS["ok"] = True


def remote(
    judge: Callable[..., Awaitable[object]], ready: Callable[[], Awaitable[bool]]
) -> RemoteRunners:
    methods = SimpleNamespace(judge=judge, classify=judge, classify_beside=judge)
    service = SimpleNamespace(to_async=methods, is_ready=ready)
    return RemoteRunners(service, service, largest=16)


async def yes() -> bool:
    return True


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error = failures, error

    async def __call__(self, *, images: np.ndarray) -> np.ndarray:
        if self.left:
            self.left -= 1
            raise self.error
        return ROWS


ERRORS = [aiohttp.ServerDisconnectedError(), ConnectionResetError(), ServiceUnavailable("x")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_broken_connection_is_tried_again(error: Exception) -> None:
    """Trap 2: a keep-alive connection may close under the first request after a pause."""
    runners: Runners = remote(Flaky(2, error), yes)

    assert asyncio.run(runners.judge(IMAGES)).tolist() == ROWS.tolist()


def test_model_that_stays_away_is_unavailable() -> None:
    runners: Runners = remote(Flaky(99, ERRORS[0]), yes)

    with pytest.raises(ModelUnavailable):
        asyncio.run(runners.classify(IMAGES))


def test_not_ready_before_the_warm_up() -> None:
    runners = remote(Flaky(0, ERRORS[0]), yes)

    async def main() -> tuple[bool, bool]:
        before = await runners.ready()
        await runners.warm_up()
        return before, await runners.ready()

    assert asyncio.run(main()) == (False, True)


def test_warm_up_waits_for_models_that_are_not_there_yet() -> None:
    runners = remote(Flaky(20, aiohttp.ClientError()), yes)

    asyncio.run(runners.warm_up())


async def hang() -> bool:
    await asyncio.sleep(60)
    return True


async def refuse() -> bool:
    raise aiohttp.ClientConnectionError


@pytest.mark.parametrize("probe", [hang, refuse])
def test_readiness_says_no_within_a_second_whatever_is_dead(
    probe: Callable[[], Awaitable[bool]],
) -> None:
    """Trap 10: BentoML's own probe of a dead dependency hangs."""
    runners = remote(Flaky(0, ERRORS[0]), probe)

    async def main() -> bool:
        await runners.warm_up()
        return await runners.ready()

    started = time.monotonic()
    assert asyncio.run(main()) is False
    assert time.monotonic() - started < 1.5


def answer_slowly(hops: list[int]) -> Callable[..., Awaitable[object]]:
    async def judge(*, images: np.ndarray) -> np.ndarray:
        hops.append(len(images))
        await asyncio.sleep(0.05)
        return np.repeat(ROWS, len(images))

    return judge


@pytest.mark.parametrize(
    "wrong", [IMAGES[:, :, :-1], IMAGES.astype(np.float32)], ids=["shape", "type"]
)
def test_request_of_a_wrong_shape_spoils_no_other(wrong: np.ndarray) -> None:
    async def main() -> list[object]:
        runners = remote(answer_slowly([]), yes)
        asked = [runners.judge(wrong if i == 7 else IMAGES) for i in range(16)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(main())

    assert isinstance(answers.pop(7), ValueError)
    assert all(isinstance(rows, np.ndarray) and rows["ok"].all() for rows in answers)
