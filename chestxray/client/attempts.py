"""Decides when a call is tried again, and when no more; no input or output."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from chestxray.client.errors import (
    ChestXrayError,
    ConnectionFailed,
    DeadlineExceeded,
    ProblemError,
)

AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,  # RFC 9110, 15.5.9
        HTTPStatus.CONFLICT,  # with Retry-After: an earlier try of the same is being answered
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,  # of a proxy: the service did not answer
        HTTPStatus.SERVICE_UNAVAILABLE,  # at capacity, shutting down, or without a model
        HTTPStatus.GATEWAY_TIMEOUT,  # the service's own limit may be before the caller's deadline
    }
)
"""Statuses after which the same request may succeed. An analysis stores nothing unless asked, so
that asking twice does no harm."""


@dataclass(frozen=True)
class Retries:
    """How often a call is tried, and how long it waits where the service says nothing.

    Pauses are drawn between 0 and a limit that doubles with every try (full jitter), so that
    clients that were refused together do not come back together. In seconds.
    """

    tries: int = 5
    first_pause: float = 0.25
    longest_pause: float = 8.0

    def __post_init__(self) -> None:
        if self.tries < 1 or not 0 <= self.first_pause <= self.longest_pause:
            raise ValueError("tries must be at least 1, and 0 <= first_pause <= longest_pause")


class Attempts:
    """The tries of one call, until `seconds` from now."""

    def __init__(
        self,
        retries: Retries,
        seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._retries, self._seconds, self._now, self._draw = retries, seconds, now, draw
        self._end, self._made = now() + seconds, 0

    def begin(self) -> float:
        """Counts a try, and returns the seconds that it has. Raises DeadlineExceeded."""
        if (left := self._end - self._now()) <= 0:
            raise self._exceeded()
        self._made += 1
        return left

    def pause_after(self, error: ChestXrayError) -> float:
        """Returns the seconds to wait for the next try; raises the error if there is none.

        That is DeadlineExceeded where the deadline has passed for the service or for the client.
        A pause that would end after the deadline is not begun.
        """
        left = self._end - self._now()
        if _may_succeed(error):
            if left <= 0:
                raise self._exceeded() from error
            pause = self._pause(error)
            if self._made < self._retries.tries and pause < left:
                return pause
        if isinstance(error, ProblemError) and error.code == "deadline-exceeded":
            raise self._exceeded() from error
        raise error

    def _pause(self, error: ChestXrayError) -> float:
        asked = error.retry_after if isinstance(error, ProblemError) else None
        if asked is not None:
            return asked + self._draw(0, self._retries.first_pause)
        limit = min(self._retries.longest_pause, self._retries.first_pause * 2 ** (self._made - 1))
        return self._draw(0, limit)

    def _exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"no answer within {self._seconds:g} s ({self._made} tries)")


def _may_succeed(error: ChestXrayError) -> bool:
    if isinstance(error, ProblemError):
        is_lasting = error.status == HTTPStatus.CONFLICT and error.retry_after is None
        return error.status in AGAIN and not is_lasting
    return isinstance(error, ConnectionFailed) and not error.lasting
