"""Runs worker processes on blocks of seeds, and attributes crashes to seeds."""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait

from tests.fuzz.worker import LIMIT_SECONDS, Outcomes, image_of, work


def fuzz(blocks: Iterable[range], *, workers: int = 1) -> Iterator[tuple[range, Outcomes]]:
    """Yields the outcomes of all seeds, in blocks, as they complete."""
    image_of(0)  # builds the corpus once, before forking
    waiting, again = iter(blocks), list[range]()
    running: dict[Connection, _Block] = {}
    while True:
        while len(running) < workers and (seeds := again.pop() if again else next(waiting, None)):
            block = _Block(seeds)
            running[block.answers] = block
        if not running:
            return
        for connection in wait(list(running)):
            block = running.pop(connection)  # type: ignore[call-overload]
            seeds, found, left = block.end()
            again += left
            yield seeds, found


class _Block:
    """A worker process with its block of seeds."""

    def __init__(self, seeds: range) -> None:
        context = multiprocessing.get_context("fork")
        self._seeds = seeds
        self._place = context.Value("q", seeds.start)
        self.answers, answers = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(seeds, self._place, answers))
        self._process.start()
        answers.close()

    def end(self) -> tuple[range, Outcomes, list[range]]:
        """The completed seeds with their outcomes, and the remaining ones after a crash."""
        try:
            seeds, found, left = self._seeds, self.answers.recv(), list[range]()
        except EOFError:
            self._process.join()
            died = self._place.value
            seeds = range(died, died + 1)
            found = Outcomes(Counter(died=1), findings={died: _death(self._process.exitcode)})
            left = [range(self._seeds.start, died), range(died + 1, self._seeds.stop)]
        self._process.join()
        return seeds, found, [part for part in left if part]


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exits with {code}"
    name = signal.Signals(-code).name
    return f"takes more than {LIMIT_SECONDS:g} s" if name == "SIGPROF" else f"dies of {name}"
