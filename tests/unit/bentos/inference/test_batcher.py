"""Images that arrive while a batch runs share the next one; each request gets its own rows."""

import asyncio
import threading
import time

import numpy as np
import pytest

from bentos.inference.batcher import Answer, Batcher, Overloaded
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, Stage
from bentos.metrics import get_metrics
from chestxray.engines import Images
from chestxray.errors import DeadlineExceeded


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


def test_first_image_starts_at_once_and_waiting_images_form_a_batch() -> None:
    async def main() -> tuple[list[list[int]], list[Answer]]:
        model = FakeModel()
        batcher = batcher_over(model)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(6)]
        await started(model)
        model.gate.set()
        return model.batches, await asyncio.gather(*asked)

    batches, answers = asyncio.run(main())

    assert batches == [[0], [1, 2, 3, 4], [5]]
    assert values(answers) == [[i] for i in range(6)]


def test_request_with_several_images_gets_its_rows_in_order() -> None:
    async def main() -> list[Answer]:
        batcher = batcher_over(open_model())
        asked = (batcher(images(*given), seconds=5) for given in ([1], [2, 3, 4], [5, 6]))
        return await asyncio.gather(*asked)

    assert values(asyncio.run(main())) == [[1], [2, 3, 4], [5, 6]]


def test_request_larger_than_a_batch_is_not_split() -> None:
    async def main() -> Answer:
        return await batcher_over(open_model(), max_batch=2)(images(1, 2, 3), seconds=5)

    assert asyncio.run(main()).rows.tolist() == [1, 2, 3]


def test_client_with_many_images_delays_others_by_one_image() -> None:
    async def main() -> list[list[int]]:
        model = FakeModel()
        batcher = batcher_over(model)
        asked = []
        for caller, given in (("batch", range(12)), ("single", [50]), ("another", [60])):
            asked += [
                asyncio.create_task(batcher(images(value), seconds=5, caller=caller))
                for value in given
            ]
        await started(model)
        model.gate.set()
        await asyncio.gather(*asked)
        return model.batches

    batches = asyncio.run(main())

    assert batches == [[0], [1, 50, 60, 2], [3, 4, 5, 6], [7, 8, 9, 10], [11]]


def test_batch_time_is_split_evenly_among_its_images() -> None:
    async def main() -> tuple[list[Answer], float]:
        model = FakeModel(seconds_per_image=0.01)
        batcher = batcher_over(model)
        asked = [
            asyncio.create_task(batcher(images(*given), seconds=5))
            for given in ([0], [1, 2, 3], [4])
        ]
        await started(model)
        opened = time.monotonic()
        model.gate.set()
        return await asyncio.gather(*asked), time.monotonic() - opened

    (_, many, one), elapsed = asyncio.run(main())

    assert many.seconds == pytest.approx(3 * one.seconds)
    assert 0.04 <= many.seconds + one.seconds <= elapsed


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


def test_retry_runs_first_and_in_a_batch_of_its_own() -> None:
    async def main() -> list[list[int]]:
        model = FakeModel()
        batcher = batcher_over(model)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(3)]
        asked += [asyncio.create_task(batcher(images(i), seconds=5, alone=True)) for i in (10, 11)]
        await started(model)
        model.gate.set()
        await asyncio.gather(*asked)
        return model.batches

    assert asyncio.run(main()) == [[0], [10], [11], [1, 2]]


def test_busy_seconds_include_the_batch_in_flight() -> None:
    async def main() -> tuple[float, float, float]:
        model = FakeModel()
        batcher = batcher_over(model)
        before = batcher.busy_seconds
        asked = asyncio.create_task(batcher(images(0), seconds=5))
        await started(model)
        await asyncio.sleep(0.05)
        during = batcher.busy_seconds
        model.gate.set()
        await asked
        return before, during, batcher.busy_seconds

    before, during, after = asyncio.run(main())

    assert before == after == 0
    assert during >= 0.05


def test_each_free_core_takes_one_image() -> None:
    async def main() -> tuple[list[list[int]], list[list[int]]]:
        model = FakeModel()
        batcher = batcher_over(model, max_batch=1, parallel=2)
        asked = [asyncio.create_task(batcher(images(i), seconds=5)) for i in range(4)]
        await started(model, 2)
        at_once = list(model.batches)
        model.gate.set()
        await asyncio.gather(*asked)
        assert model.loaded == [False, True, True, True]
        return at_once, sorted(model.batches)

    assert asyncio.run(main()) == ([[0], [1]], [[0], [1], [2], [3]])


def test_model_is_told_when_the_machine_has_other_work() -> None:
    async def main() -> list[bool]:
        model = FakeModel()
        model.gate.set()
        batcher = batcher_over(model, max_batch=1, parallel=2)
        for loaded in (False, True):
            await batcher(images(0), seconds=5, loaded=loaded)
        return model.loaded

    assert asyncio.run(main()) == [False, True]


def test_no_other_batch_runs_during_a_retry() -> None:
    """The retried image may have killed the process before."""

    async def main() -> list[list[int]]:
        model = FakeModel()
        batcher = batcher_over(model, max_batch=1, parallel=2)
        asked = [asyncio.create_task(batcher(images(0), seconds=5, alone=True))]
        await started(model)
        asked.append(asyncio.create_task(batcher(images(1), seconds=5)))
        await asyncio.sleep(0.05)
        at_once = list(model.batches)
        model.gate.set()
        await asyncio.gather(*asked)
        return at_once

    assert asyncio.run(main()) == [[0]]
