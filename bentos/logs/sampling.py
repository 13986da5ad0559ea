"""The first lines of a kind in every second are written; the rest is counted in one line.

A flood of refused requests would otherwise cost more than the refusals, and hide all other lines.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TextIO

from bentos.metric_labels import Outcome

LINES = 10
"""Lines of a kind that are written in one second."""
ACCEPTED_LINES = 100
"""The same for requests that were answered; work bounds their number, and each is of interest."""
SECONDS = 1.0


class Kind(NamedTuple):
    """Lines are similar that one statement logs of one route and outcome."""

    logger: str
    level: int
    template: str  # the message before its arguments
    route: str
    outcome: str

    @classmethod
    def of(cls, record: logging.LogRecord) -> "Kind":
        """Returns the kind of a record."""
        about = (str(getattr(record, name, "")) for name in ("route", "outcome"))
        return cls(record.name, record.levelno, str(record.msg), *about)

    @property
    def limit(self) -> int:
        """Lines to write in one second."""
        return ACCEPTED_LINES if self.outcome == Outcome.ACCEPTED else LINES


class Sampler:
    """Decides which records are written."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seen: Counter[Kind] = Counter()

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; counts it if not. Why a process ends is always written."""
        if record.levelno >= logging.CRITICAL:
            return True
        kind = Kind.of(record)
        self._seen[kind] += 1
        return self._seen[kind] <= kind.limit

    @property
    def is_over(self) -> bool:
        """Whether the second is over in which the records were counted."""
        return self._clock() - self._began >= SECONDS

    def restart(self) -> Iterator[logging.LogRecord]:
        """Starts the next second; yields what to write of the last one."""
        seen, self._seen, self._began = self._seen, Counter(), self._clock()
        for kind, count in seen.items():
            if count > kind.limit:
                yield _summary(kind, count - kind.limit)


def _summary(kind: Kind, left_out: int) -> logging.LogRecord:
    about = " ".join(part for part in (kind.route, kind.outcome) if part) or kind.template
    fields: dict[str, Any] = {
        "name": kind.logger,
        "levelno": kind.level,
        "levelname": logging.getLevelName(kind.level),
        "msg": "%d similar lines were left out in the last second: %s",
        "args": (left_out, about),
        "left_out": left_out,
    }
    known = {"route": kind.route, "outcome": kind.outcome}
    return logging.makeLogRecord(fields | {name: value for name, value in known.items() if value})


class Timer(Protocol):
    """What threading.Timer has."""

    def start(self) -> None:
        """Starts to wait."""

    def cancel(self) -> None:
        """Stops waiting."""


def _timer(call: Callable[[], None]) -> Timer:
    timer = threading.Timer(SECONDS, call)
    timer.daemon = True
    return timer


class SampledHandler(logging.StreamHandler[TextIO]):
    """Writes a sample of the records, and once a second how many it left out."""

    def __init__(
        self,
        stream: TextIO,
        sampler: Sampler | None = None,
        timer: Callable[[Callable[[], None]], Timer] = _timer,
    ) -> None:
        super().__init__(stream)
        self._sampler = sampler or Sampler()
        self._new_timer = timer
        self._timer: Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record or counts it; called with the handler's lock."""
        if self._sampler.is_over:
            self._summarise()
        if self._sampler.admits(record):
            super().emit(record)
        elif self._timer is None:  # the flood may end now, and its number must not wait
            self._timer = self._new_timer(self._end_second)
            self._timer.start()

    def close(self) -> None:
        """Writes at the end of the process, too, how many were left out."""
        self._end_second()
        super().close()

    def _end_second(self) -> None:
        self.acquire()
        try:
            self._summarise()
        finally:
            self.release()

    def _summarise(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for summary in self._sampler.restart():
            super().emit(summary)
