"""Two engines are timed alternately."""

from dataclasses import dataclass, field

import numpy as np

from chestxray.engines import Images, Outputs
from training import engine_speed


@dataclass
class Clock:
    """A clock that engines advance."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeEngine:
    """A fake engine that takes a fixed time per image."""

    clock: Clock
    seconds: float
    on_gpu: bool = False
    batch_sizes: list[int] = field(default_factory=list)

    def __call__(self, images: Images) -> Outputs:
        self.batch_sizes.append(len(images))
        self.clock.now += self.seconds * len(images)
        return {}

    def free_memory(self) -> None: ...


IMAGES = np.zeros((16, 1, 1, 1), np.uint8)


def test_ratio_is_the_speed_up_of_the_second_engine() -> None:
    clock = Clock()
    slow, fast = FakeEngine(clock, 0.5), FakeEngine(clock, 0.125)

    one, eight = engine_speed.compare(slow, fast, IMAGES, rounds=4, batches=(1, 8), clock=clock)

    assert slow.batch_sizes == fast.batch_sizes == [8] + 4 * [1, 8]
    assert (one.batch, eight.batch) == (1, 8)
    assert (eight.before, eight.after, eight.ratio.value, eight.ratio.n) == (2, 8, 4, 4)
    assert list(engine_speed.failed_criteria([one, eight])) == []


def test_insufficient_speed_up_fails_for_each_batch_size() -> None:
    clock = Clock()
    same = FakeEngine(clock, 0.5), FakeEngine(clock, 0.5)

    speed = engine_speed.compare(*same, IMAGES, rounds=2, batches=(4, 8), clock=clock)

    four, eight = engine_speed.failed_criteria(speed)
    assert "1.00 times the images/s at 4; 1.8 are needed" in four
    assert "1.00 times the images/s at 8; 1.8 are needed" in eight
