"""Two engines are timed turn by turn."""

from dataclasses import dataclass, field

import numpy as np

from chestxray.engines import Images, Outputs
from training import engine_speed


@dataclass
class Clock:
    """Stands still but for what engines take."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Worker:
    """An engine that takes as long for each image."""

    clock: Clock
    seconds: float
    on_gpu: bool = False
    asked: list[int] = field(default_factory=list)

    def __call__(self, images: Images) -> Outputs:
        self.asked.append(len(images))
        self.clock.now += self.seconds * len(images)
        return {}

    def free_memory(self) -> None: ...


FILMS = np.zeros((16, 1, 1, 1), np.uint8)


def test_ratio_is_how_much_faster_the_second_is() -> None:
    clock = Clock()
    slow, fast = Worker(clock, 0.5), Worker(clock, 0.125)

    one, eight = engine_speed.compare(slow, fast, FILMS, rounds=4, batches=(1, 8), clock=clock)

    assert slow.asked == fast.asked == [8] + 4 * [1, 8]
    assert (one.batch, eight.batch) == (1, 8)
    assert (eight.before, eight.after, eight.ratio.value, eight.ratio.n) == (2, 8, 4, 4)
    assert list(engine_speed.faults([one, eight])) == []


def test_too_slow_is_a_fault_for_each_size() -> None:
    clock = Clock()
    same = Worker(clock, 0.5), Worker(clock, 0.5)

    speed = engine_speed.compare(*same, FILMS, rounds=2, batches=(4, 8), clock=clock)

    four, eight = engine_speed.faults(speed)
    assert "1.00 times the images/s at 4; 1.8 are needed" in four
    assert "1.00 times the images/s at 8; 1.8 are needed" in eight
