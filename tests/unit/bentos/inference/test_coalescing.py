"""What waits shares the next hop; everyone gets their own."""

import asyncio

import pytest

from bentos.admission.ledger import Ledger, serving
from bentos.inference.coalescing import ConnectionLost
from bentos.inference.model import Rows
from bentos.metrics import get_metrics
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable
from tests.unit.bentos.inference.numbered import POISON, Model, coalescer_over, images


def test_lone_images_go_at_once_and_those_that_wait_go_together() -> None:
    async def main() -> tuple[list[int], list[list[int]]]:
        model = Model()
        coalescer = coalescer_over(model, largest=4)
        waiting = [asyncio.create_task(coalescer(images(i))) for i in range(7)]
        await asyncio.sleep(0)
        model.gate.set()
        return model.hops, [rows.tolist() for rows in await asyncio.gather(*waiting)]

    hops, rows = asyncio.run(main())

    assert rows == [[i] for i in range(7)]
    assert sum(hops) == 7
    assert max(hops) == 4
    assert len(hops) <= 3


def test_callers_with_several_images_get_them_all_in_order() -> None:
    async def main() -> list[list[int]]:
        model = Model()
        model.gate.set()
        coalescer = coalescer_over(model, largest=4)
        answers = await asyncio.gather(*(coalescer(images(*v)) for v in ([1], [2, 3, 4], [5, 6])))
        assert max(model.hops) <= 4
        return [rows.tolist() for rows in answers]

    assert asyncio.run(main()) == [[1], [2, 3, 4], [5, 6]]


def test_single_image_waits_for_the_hop_under_way_alone() -> None:
    async def main() -> list[list[int]]:
        kept, model = Ledger(), Mortal(deaths=0)
        coalescer = coalescer_over(model, largest=4)
        asked = []
        for caller, values in (("batches", range(12)), ("single", [50]), ("another", [60])):
            with serving(kept.account(caller)):
                asked += [asyncio.create_task(coalescer(images(value))) for value in values]
        await asyncio.gather(*asked)
        return model.hops

    hops = asyncio.run(main())

    assert hops == [[0, 50, 60, 1], [2, 3, 4, 5], [6, 7, 8, 9], [10, 11]]


def test_time_of_hops_is_charged_to_whose_images_they_had() -> None:
    async def main() -> tuple[float, float]:
        kept = Ledger()

        async def ask(given: Images) -> Rows:
            await asyncio.sleep(0.02)
            return given[:, 0]

        coalescer = coalescer_over(ask, largest=4)
        asked = []
        for caller, count in (("many", 3), ("one", 1)):
            with serving(kept.account(caller)):
                asked += [asyncio.create_task(coalescer(images(0))) for _ in range(count)]
        await asyncio.gather(*asked)
        return kept.account("many").usage, kept.account("one").usage

    many, one = asyncio.run(main())

    assert many == pytest.approx(3 * one, rel=0.1)
    assert many + one == pytest.approx(0.02, rel=0.5)


def test_request_larger_than_a_hop_goes_whole() -> None:
    async def main() -> list[int]:
        model = Model()
        model.gate.set()
        await coalescer_over(model, largest=2)(images(1, 2, 3))
        return model.hops

    assert asyncio.run(main()) == [3]


def test_error_of_a_hop_reaches_its_callers_and_no_later_one() -> None:
    async def main() -> None:
        model = Model()
        model.gate.set()
        model.failing = True
        coalescer = coalescer_over(model, largest=4)
        with pytest.raises(ConnectionError):
            await coalescer(images(1))
        model.failing = False
        assert (await coalescer(images(2))).tolist() == [2]

    asyncio.run(main())


def test_caller_that_leaves_harms_no_other() -> None:
    async def main() -> list[int]:
        model = Model()
        coalescer = coalescer_over(model, largest=4)
        tasks = [asyncio.create_task(coalescer(images(i))) for i in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        model.gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        return [int(done[0][0]), int(done[2][0])]  # type: ignore[index]

    assert asyncio.run(main()) == [0, 2]


class Mortal:
    """Goes down with a hop as often as it is told, or whenever it meets poison."""

    def __init__(self, deaths: int) -> None:
        self.left = deaths
        self.hops: list[list[int]] = []

    async def __call__(self, images: Images) -> Rows:
        self.hops.append(images[:, 0].tolist())
        await asyncio.sleep(0)
        if self.left or POISON in images:
            self.left = max(0, self.left - 1)
            raise ConnectionLost
        return images[:, 0]


def test_what_went_down_with_a_model_is_asked_again() -> None:
    async def main() -> list[int]:
        coalescer = coalescer_over(Mortal(deaths=2), largest=4)
        return [int((await answer)[0]) for answer in [coalescer(images(i)) for i in range(3)]]

    assert asyncio.run(main()) == [0, 1, 2]


def test_image_that_takes_the_model_down_harms_no_other() -> None:
    model = Mortal(deaths=0)

    async def main() -> list[object]:
        coalescer = coalescer_over(model, largest=4)
        asked = [coalescer(images(i)) for i in (1, POISON, 2, 3)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(main())

    assert isinstance(answers[1], ModelUnavailable)
    assert [answers[i][0] for i in (0, 2, 3)] == [1, 2, 3]  # type: ignore[index]
    assert model.hops.count([POISON]) == 2


def test_image_whose_caller_left_never_reaches_the_model() -> None:
    def dropped() -> float:
        return float(get_metrics().dropped.labels("filter")._value.get())

    async def main() -> list[list[int]]:
        model = Model()
        coalescer = coalescer_over(model, largest=1)
        tasks = [asyncio.create_task(coalescer(images(i))) for i in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        model.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [model.hops]

    before = dropped()

    assert asyncio.run(main()) == [[1, 1]]
    assert dropped() == before + 1
