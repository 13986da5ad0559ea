"""How much faster one engine is than another; they alternate, since other work slows both alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chestxray.engines import Engine, Images
from training.metrics import RESAMPLES, Rate, interval

BATCHES = (1, 8, 16)
MIN_RATIO = 1.8
"""Of images/s, at every size of batch."""


@dataclass(frozen=True)
class Speed:
    """Two engines on batches of one size."""

    batch: int
    before: float  # images/s, median of the rounds
    after: float
    ratio: Rate  # median over the rounds, n of them; bootstrap


def compare(
    before: Engine,
    after: Engine,
    films: Images,
    *,
    rounds: int,
    batches: Sequence[int] = BATCHES,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Speed]:
    """Times both on the first of the films; each round asks each engine for each size once."""
    seconds = np.zeros((rounds, len(batches), 2))
    for engine in (before, after):
        engine(films[: max(batches)])
    for turn in range(rounds):
        for size, batch in enumerate(batches):
            # Neither is always the first.
            for which in (turn % 2, 1 - turn % 2):
                started = clock()
                (before, after)[which](films[:batch])
                seconds[turn, size, which] = clock() - started
    return [_summarise(batch, seconds[:, size]) for size, batch in enumerate(batches)]


def _summarise(batch: int, seconds: np.ndarray) -> Speed:
    ratios = seconds[:, 0] / seconds[:, 1]
    draws = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    before, after = batch / np.median(seconds, axis=0)
    medians = np.median(ratios[draws], axis=1)
    ratio = interval(float(np.median(ratios)), medians, len(ratios))
    return Speed(batch, float(before), float(after), ratio)


def failed_criteria(speed: Sequence[Speed]) -> Iterator[str]:
    """Each size at which the second engine is not fast enough, as a sentence."""
    for each in speed:
        if each.ratio.value < MIN_RATIO:
            found = f"{each.ratio.value:.2f}"
            yield f"{found} times the images/s at {each.batch}; {MIN_RATIO} are needed"
