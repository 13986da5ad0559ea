"""Images that arrive while a batch runs share the next one; each request gets its own rows."""

import asyncio
import time

import pytest

from bentos.inference.batcher import Answer
from tests.unit.bentos.inference.fake_model import (
    FakeModel,
    batcher_over,
    images,
    open_model,
    started,
    values,
)


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
