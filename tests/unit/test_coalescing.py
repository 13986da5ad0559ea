"""What waits shares the next hop; everyone gets their own."""

import asyncio

import numpy as np
import pytest

from bentos.gateway.coalescing import Ask, Coalescer, ConnectionLost, Lane
from bentos.metrics import get_metrics
from bentos.runner import Rows
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable

POISON = 99


class Model:
    """Answers each image with its own value, when it is let to."""

    def __init__(self) -> None:
        self.hops: list[int] = []
        self.gate = asyncio.Event()
        self.failing = False

    async def __call__(self, images: Images) -> Rows:
        self.hops.append(len(images))
        await self.gate.wait()
        if self.failing:
            raise ConnectionError
        return images[:, 0]


def coalescer_over(model: Ask, *, largest: int) -> Coalescer:
    return Coalescer(model, model="xray_filter", stage="filter", largest=largest)


def images(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)[:, None]


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


def test_second_hop_goes_beside_the_first_once_enough_wait() -> None:
    async def main() -> tuple[list[int], list[list[int]]]:
        first, second = Model(), Model()
        coalescer = Coalescer(first, second, model="xray_filter", stage="filter", largest=8)
        waiting = [asyncio.create_task(coalescer(images(0)))]
        under_way = []
        for i in range(1, 5):
            await asyncio.sleep(0)
            under_way.append(len(first.hops) + len(second.hops))
            waiting.append(asyncio.create_task(coalescer(images(i))))
        await asyncio.sleep(0.01)
        sizes = sorted(first.hops + second.hops)
        first.gate.set(), second.gate.set()
        rows = [rows.tolist() for rows in await asyncio.gather(*waiting)]
        assert max(under_way) <= 1
        return sizes, rows

    sizes, rows = asyncio.run(main())

    assert sizes == [1, 4]
    assert rows == [[i] for i in range(5)]


@pytest.mark.parametrize("slower", [0, 1])
def test_what_waits_for_neither_hop_goes_with_the_end_of_either(slower: int) -> None:
    async def main() -> list[list[int]]:
        ways = [Model(), Model()]
        coalescer = Coalescer(*ways, model="xray_filter", stage="filter", largest=8)
        begun = [asyncio.create_task(coalescer(images(9)))]
        await asyncio.sleep(0.01)
        begun.append(asyncio.create_task(coalescer(images(1, 2, 3, 4))))
        await asyncio.sleep(0.01)
        few = asyncio.create_task(coalescer(images(5)))
        ways[1 - slower].gate.set()
        await asyncio.sleep(0.01)
        assert not few.done()  # one hop is under way still, and one image no reason for another
        ways[slower].gate.set()
        async with asyncio.timeout(1):
            return [rows.tolist() for rows in await asyncio.gather(*begun, few)]

    assert asyncio.run(main()) == [[9], [1, 2, 3, 4], [5]]


def test_callers_with_several_images_get_them_all_in_order() -> None:
    async def main() -> list[list[int]]:
        model = Model()
        model.gate.set()
        coalescer = coalescer_over(model, largest=4)
        answers = await asyncio.gather(*(coalescer(images(*v)) for v in ([1], [2, 3, 4], [5, 6])))
        assert max(model.hops) <= 4
        return [rows.tolist() for rows in answers]

    assert asyncio.run(main()) == [[1], [2, 3, 4], [5, 6]]


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


class Away:
    """Takes hops and loses them."""

    def __init__(self) -> None:
        self.hops = 0

    async def __call__(self, images: Images) -> Rows:
        self.hops += 1
        raise ConnectionLost


def test_own_way_rests_while_a_lane_is_open() -> None:
    async def main() -> tuple[list[int], list[int], list[int]]:
        own, pod = Model(), Model()
        own.gate.set()
        pod.gate.set()
        coalescer = coalescer_over(own, largest=4)
        await coalescer(images(1))
        lane = coalescer.open_lane(pod)
        (answer,) = (await coalescer(images(2))).tolist()
        coalescer.close_lane(lane)
        await coalescer(images(3))
        return own.hops, pod.hops, [answer]

    assert asyncio.run(main()) == ([1, 1], [1], [2])


def test_lanes_share_what_waits() -> None:
    async def main() -> list[list[int]]:
        pods = [Model(), Model()]
        coalescer = coalescer_over(Away(), largest=2)
        for pod in pods:
            coalescer.open_lane(pod)
        waiting = [asyncio.create_task(coalescer(images(i))) for i in range(4)]
        for _ in range(3):
            await asyncio.sleep(0)
        busy = [list(pod.hops) for pod in pods]
        for pod in pods:
            pod.gate.set()
        assert [rows.tolist() for rows in await asyncio.gather(*waiting)] == [[i] for i in range(4)]
        return busy

    assert all(asyncio.run(main()))


def test_what_a_closed_lane_lost_another_takes() -> None:
    async def main() -> tuple[list[list[int]], int]:
        own, away = Model(), Away()
        own.gate.set()
        coalescer = coalescer_over(own, largest=4)
        lanes: list[Lane] = []

        async def fail(given: Images) -> Rows:
            coalescer.close_lane(lanes.pop())
            return await away(given)

        lanes.append(coalescer.open_lane(fail))
        answers = await asyncio.gather(*(coalescer(images(i)) for i in range(4)))
        return [rows.tolist() for rows in answers], away.hops

    assert asyncio.run(main()) == ([[0], [1], [2], [3]], 1)


def test_hop_on_a_closed_lane_still_ends() -> None:
    async def main() -> list[int]:
        pod = Model()
        coalescer = coalescer_over(Away(), largest=4)
        lane = coalescer.open_lane(pod)
        asked = asyncio.create_task(coalescer(images(5)))
        for _ in range(3):
            await asyncio.sleep(0)
        coalescer.close_lane(lane)
        pod.gate.set()
        return (await asked).tolist()

    assert asyncio.run(main()) == [5]


def test_own_way_goes_on_with_what_came_while_lanes_were_there() -> None:
    """A lane that opens while the own way is busy takes over what waits behind its hop."""

    async def main() -> tuple[list[int], list[int]]:
        own, pod = Model(), Model()
        pod.gate.set()
        coalescer = coalescer_over(own, largest=1)
        first = asyncio.create_task(coalescer(images(1)))
        second = asyncio.create_task(coalescer(images(2)))
        for _ in range(3):
            await asyncio.sleep(0)
        coalescer.open_lane(pod)
        own.gate.set()
        await asyncio.gather(first, second)
        return own.hops, pod.hops

    assert asyncio.run(main()) == ([1], [1])
