"""Models as a coalescer sees them: images of one number, answered by that number."""

import asyncio

import numpy as np

from bentos.inference.coalescing import Ask, Coalescer
from bentos.inference.model import Rows
from chestxray.engines import Images

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
