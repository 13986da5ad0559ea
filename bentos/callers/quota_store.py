"""Counts what each caller has sent in the last minute or day, for one gateway or for all of them.

The strategy is limits' sliding window counter: two integers for each caller, whatever its quota,
and one script in Redis. It takes the images of the window before for evenly spread, which is wrong
by a fraction of the quota for less than a window. The moving window is exact, but keeps a timestamp
for each image, and limits' memory storage hands each caller's list to a thread at every request.
"""

import asyncio
import logging
import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar, cast

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from bentos.metrics import get_metrics

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Window(IntEnum):
    """The time that a quota is for, in seconds."""

    MINUTE = 60
    DAY = 24 * 60 * 60


_TIMEOUT_SECONDS = 0.25
"""A request waits no longer for the shared store."""
_RETRY_SECONDS = 5.0
"""After a failure the shared store is left alone for this time."""
MAX_CALLERS = 4096
"""Callers that are counted in memory, in each window. Those that were idle longest are forgotten:
many addresses can gain a second quota by that, but they have many quotas anyway."""


@dataclass(frozen=True)
class Usage:
    """How much of a quota is used: images in this window and in the one before, which counts by the
    share of it that is not a window ago yet; with the seconds until the end of each."""

    limit: int
    before: int = 0
    before_ends: float = 0.0
    now: int = 0
    now_ends: float = 0.0
    window: Window = Window.MINUTE

    @property
    def remaining(self) -> int:
        """Images that may be sent at once."""
        weighted = math.floor(self.before * self.before_ends / self.window)
        return max(0, self.limit - weighted - self.now)

    def wait(self, images: int) -> int:
        """Seconds, rounded up, until so many images may be sent; no more than the limit."""
        if images <= self.remaining:
            return 0
        spare = self.limit - self.now - images
        if spare >= 0:  # what the window before may still weigh
            seconds = self.before_ends - (spare + 1) * self.window / self.before
        else:  # this one becomes the window before, and loses weight after that
            share = (self.limit - images + 1) / self.now
            seconds = self.now_ends + max(0.0, self.window * (1 - share))
        return math.floor(max(0.0, seconds)) + 1


class _Counts:
    """The counts in one storage of limits."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def usage(self, name: str, limit: int, window: Window) -> Usage:
        key = _item(limit, window).key_for(name)
        windows = cast(SlidingWindowCounterSupport, self.storage)
        before, before_ends, now, now_ends = await windows.get_sliding_window(key, window.value)
        # limits keeps a window for twice its length: the second half as the one before.
        return Usage(limit, before, before_ends, now, max(0.0, now_ends - window), window)

    async def spend(self, name: str, limit: int, images: int, window: Window) -> bool:
        return await self._limiter.hit(_item(limit, window), name, cost=images)


class _BoundedCounts(_Counts):
    """Counts in memory, of MAX_CALLERS at most in each window."""

    def __init__(self) -> None:
        self._memory = MemoryStorage()
        super().__init__(self._memory)
        self._recent: defaultdict[Window, OrderedDict[str, None]] = defaultdict(OrderedDict)

    async def spend(self, name: str, limit: int, images: int, window: Window) -> bool:
        key, recent = _item(limit, window).key_for(name), self._recent[window]
        recent[key] = None
        recent.move_to_end(key)
        if len(recent) > MAX_CALLERS:
            await self._forget(recent.popitem(last=False)[0], window)
        return await super().spend(name, limit, images, window)

    async def _forget(self, key: str, window: Window) -> None:
        for each in self._memory.sliding_window_keys(key, window.value, time.time()):
            await self._memory.clear(each)
            self._memory.expirations.pop(each, None)  # which limits leaves until it is over


class QuotaStore:
    """Counts in Redis where there is an address, and in memory while that does not answer."""

    def __init__(self, url: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory = _BoundedCounts()
        self._shared = _Counts(_redis(url)) if url else None
        self._clock, self._failed, self._retry_at = clock, False, -math.inf

    async def usage(self, name: str, limit: int, window: Window = Window.MINUTE) -> Usage:
        """Returns how much of its limit a caller has used."""
        return await self._ask(lambda counts: counts.usage(name, limit, window))

    async def spend(
        self, name: str, limit: int, images: int, window: Window = Window.MINUTE
    ) -> bool:
        """Counts images, all or none; False where they would exceed the limit."""
        return await self._ask(lambda counts: counts.spend(name, limit, images, window))

    async def close(self) -> None:
        """Closes the connections."""
        if self._shared:
            await cast(Any, self._shared.storage).bridge.get_connection().aclose()

    async def _ask(self, ask: Callable[[_Counts], Awaitable[T]]) -> T:
        if self._shared is None or self._clock() < self._retry_at:
            return await ask(self._memory)
        if self._failed:  # one request tries; the others need not wait for it
            self._retry_at = self._clock() + _RETRY_SECONDS
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await ask(self._shared)
        except (StorageError, TimeoutError, OSError) as error:
            self._note_failure(error)
            return await ask(self._memory)
        if self._failed:
            self._failed, self._retry_at = False, -math.inf
            logger.warning("the store of quotas answers again")
        return answer

    def _note_failure(self, error: Exception) -> None:
        get_metrics().quota_store_failures.inc()
        self._retry_at = self._clock() + _RETRY_SECONDS
        if not self._failed:  # its text may have the address, the type has not
            wrapped = isinstance(error, StorageError) and error.__cause__
            kind = type(wrapped or error).__name__
            logger.warning("the store of quotas fails (%s); quotas are counted in memory", kind)
        self._failed = True


def _redis(url: str) -> RedisStorage:
    from redis.asyncio.retry import Retry  # 8 MB, which most gateways do not need
    from redis.backoff import NoBackoff

    options: dict[str, Any] = {
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 1),  # a connection that Redis has closed is opened again
    }
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="chestxray",
        **options,
    )


def _item(limit: int, window: Window) -> RateLimitItem:
    return RateLimitItemPerDay(limit) if window is Window.DAY else RateLimitItemPerMinute(limit)
