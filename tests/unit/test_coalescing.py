"""What waits shares the next hop; everyone gets their own."""

import asyncio

import numpy as np
import pytest

from bentos.gateway.coalescing import Coalescer
from bentos.runner import Images, Rows


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


def images(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)[:, None]


def test_lone_images_go_at_once_and_those_that_wait_go_together() -> None:
    async def main() -> tuple[list[int], list[list[int]]]:
        model = Model()
        coalescer = Coalescer(model, largest=4)
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
        coalescer = Coalescer(model, largest=4)
        answers = await asyncio.gather(*(coalescer(images(*v)) for v in ([1], [2, 3, 4], [5, 6])))
        assert max(model.hops) <= 4
        return [rows.tolist() for rows in answers]

    assert asyncio.run(main()) == [[1], [2, 3, 4], [5, 6]]


def test_request_larger_than_a_hop_goes_whole() -> None:
    async def main() -> list[int]:
        model = Model()
        model.gate.set()
        await Coalescer(model, largest=2)(images(1, 2, 3))
        return model.hops

    assert asyncio.run(main()) == [3]


def test_error_of_a_hop_reaches_its_callers_and_no_later_one() -> None:
    async def main() -> None:
        model = Model()
        model.gate.set()
        model.failing = True
        coalescer = Coalescer(model, largest=4)
        with pytest.raises(ConnectionError):
            await coalescer(images(1))
        model.failing = False
        assert (await coalescer(images(2))).tolist() == [2]

    asyncio.run(main())


def test_caller_that_leaves_harms_no_other() -> None:
    async def main() -> list[int]:
        model = Model()
        coalescer = Coalescer(model, largest=4)
        tasks = [asyncio.create_task(coalescer(images(i))) for i in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        model.gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        return [int(done[0][0]), int(done[2][0])]  # type: ignore[index]

    assert asyncio.run(main()) == [0, 2]
