"""Several ways to a model: each takes the next hop, and what one loses another takes."""

import asyncio

import pytest

from bentos.inference.coalescing import Coalescer, ConnectionLost, Lane
from bentos.inference.model import Rows
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable
from tests.unit.bentos.inference.numbered import POISON, Model, coalescer_over, images


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


class Process:
    """Both ways lead to it; poison takes down with it whatever is under way."""

    def __init__(self) -> None:
        self.deaths = 0

    async def __call__(self, images: Images) -> Rows:
        deaths, poisoned = self.deaths, POISON in images
        await asyncio.sleep(0.01 if poisoned else 0.03)
        self.deaths += poisoned
        if self.deaths != deaths:
            raise ConnectionLost
        return images[:, 0]


def test_nothing_goes_beside_what_may_take_the_process_down() -> None:
    async def main() -> list[object]:
        process = Process()
        coalescer = Coalescer(process, process, model="xray_filter", stage="filter", largest=4)
        asked = [coalescer(images(value)) for value in (*range(12), POISON, *range(13, 40))]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(main())

    assert isinstance(answers.pop(12), ModelUnavailable)
    assert [int(rows[0]) for rows in answers] == [*range(12), *range(13, 40)]  # type: ignore[index]


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
