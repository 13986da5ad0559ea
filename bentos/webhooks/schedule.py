"""When a delivery that failed is tried again, and when a receiver is taken for gone."""

import random
from collections.abc import Callable
from datetime import timedelta

PAUSES = tuple(
    timedelta(seconds=each) for each in (5, 300, 1800, 7200, 5 * 3600, 10 * 3600, 10 * 3600)
)
"""After each failure, about a day in all; a job with its deliveries usually expires before."""
FAILING = timedelta(days=5)
"""A webhook to which no delivery succeeded for this time is disabled."""
_MOST_JITTER = 0.2
"""Of a pause: what failed together is not tried together again."""
_LONGEST_WAIT = timedelta(hours=12)
"""A receiver may ask for no longer one by Retry-After."""


def pause(
    attempts: int,
    retry_after: float | None = None,
    *,
    jitter: Callable[[], float] = random.random,
) -> timedelta | None:
    """Returns the time until the next attempt, None after the last one."""
    if attempts > len(PAUSES):
        return None
    planned = PAUSES[attempts - 1] * (1 + _MOST_JITTER * jitter())
    asked = timedelta(seconds=max(0.0, retry_after or 0.0))
    return max(planned, min(asked, _LONGEST_WAIT))
