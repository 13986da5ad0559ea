"""The batcher refuses and drops by deadline, length of the queue, and clients that left."""

import asyncio
import time

import pytest

from bentos.inference.batcher import Overloaded
from bentos.metrics import get_metrics
from chestxray.errors import DeadlineExceeded
from tests.unit.bentos.inference.fake_model import (
    FakeModel,
    batcher_over,
    images,
    open_model,
    started,
)


def test_batch_error_reaches_only_the_requests_of_that_batch() -> None:
    async def main() -> list[int]:
        model = open_model()
        model.failing = True
        batcher = batcher_over(model)
        with pytest.raises(ConnectionError):
            await batcher(images(1), seconds=5)
        model.failing = False
        return (await batcher(images(2), seconds=5)).rows.tolist()

    assert asyncio.run(main()) == [2]


def dropped() -> float:
    return float(get_metrics().dropped.labels("filter")._value.get())


def test_image_of_a_disconnected_client_never_reaches_the_model() -> None:
    async def main() -> list[list[int]]:
        model = FakeModel()
        batcher = batcher_over(model)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(3)]
        await started(model)
        asked[1].cancel()
        await asyncio.wait([asked[1]])
        model.gate.set()
        await asyncio.gather(*asked, return_exceptions=True)
        return model.batches

    before = dropped()

    assert asyncio.run(main()) == [[0], [2]]
    assert dropped() == before + 1


def test_every_request_is_answered_by_its_deadline() -> None:
    """A client closes its connection to a server that does not answer in time."""

    async def main() -> list[list[int]]:
        model = FakeModel()
        batcher = batcher_over(model)
        begun = time.monotonic()
        asked = [asyncio.create_task(batcher(images(i), seconds=0.1)) for i in range(2)]
        for each in asked:  # the first is in a batch that hangs, the second waits
            with pytest.raises(DeadlineExceeded):
                await each
        assert time.monotonic() - begun < 5
        model.gate.set()
        await batcher(images(2), seconds=5)
        return model.batches

    assert asyncio.run(main()) == [[0], [2]]


def test_request_that_cannot_meet_its_deadline_is_refused_at_once() -> None:
    async def main() -> float:
        model = open_model(seconds_per_image=0.05)
        batcher = batcher_over(model)
        await batcher(images(0), seconds=5)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refusal:
            await batcher(images(9), seconds=0.2)
        assert not any(each.done() for each in asked)
        await asyncio.gather(*asked)
        assert [9] not in model.batches
        return refusal.value.retry_seconds

    assert asyncio.run(main()) >= 0.4  # eight images of 0.05 s or more


def test_idle_model_accepts_requests_after_one_slow_batch() -> None:
    async def main() -> list[int]:
        model = open_model(seconds_per_image=1.5)
        batcher = batcher_over(model)
        await batcher(images(0), seconds=5)
        model._seconds = 0
        return (await batcher(images(1), seconds=1)).rows.tolist()

    assert asyncio.run(main()) == [1]


def test_image_beyond_the_queue_limit_is_refused() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = batcher_over(model, max_waiting=2)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(3)]
        await started(model)
        with pytest.raises(Overloaded):
            await batcher(images(3), seconds=5)
        model.gate.set()
        await asyncio.gather(*asked)

    asyncio.run(main())
