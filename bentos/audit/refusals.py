"""Bounds the lines of refused callers: strangers must not fill the disk of the audit file."""

import time
from collections import Counter
from collections.abc import Callable

LINES = 60
"""Lines of a kind of caller that are written in one minute."""
SECONDS = 60.0


class Refusals:
    """Counts refusals by the kind of their caller, so that strangers hide no refusal of a key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seen: Counter[str] = Counter()

    def admits(self, kind: str) -> bool:
        """Whether to write a line of this kind; counts it if not."""
        self._seen[kind] += 1
        return self._seen[kind] <= LINES

    @property
    def remaining(self) -> float:
        """Seconds until the minute is over; 0 or less afterwards."""
        return SECONDS - (self._clock() - self._began)

    def restart(self) -> tuple[dict[str, int], float]:
        """Begins the next minute; returns what was left out of the last one by kind, and its length
        in seconds, which is more than a minute where nobody came since."""
        seen, self._seen = self._seen, Counter()
        now = self._clock()
        seconds, self._began = now - self._began, now
        return {kind: count - LINES for kind, count in seen.items() if count > LINES}, seconds
