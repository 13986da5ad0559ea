"""Keeps analyses and deletes them, record and pictures together, whatever dies in between.

A record is written before its pictures and made visible after them; it is hidden before its
pictures are deleted, and deleted after them. So no picture is ever without a record, and no visible
record without its pictures.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bentos.database.errors import StorageUnavailable
from bentos.history.blobs import Blobs
from bentos.history.errors import StorageFull, TooManyKept
from bentos.history.records import Position, Record, Records
from bentos.history_metrics import get_history_metrics
from bentos.metric_labels import Swept

logger = logging.getLogger(__name__)

IMAGE, HEATMAP = "image", "heatmap"
PARTS = (IMAGE, HEATMAP)
_BATCH = 100
"""Records that are deleted in one go."""
_GIVE_UP_SECONDS = 2.0
"""Longest time that a failed request is held up by."""


class Archive:
    """Kept analyses. Every method raises StorageUnavailable."""

    def __init__(
        self,
        records: Records,
        blobs: Blobs,
        *,
        max_per_owner: int,
        max_bytes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_expired: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_expired` is told each analysis that a sweep has deleted because its time was over."""
        self._records, self._blobs, self._now = records, blobs, now
        self._on_expired = on_expired
        self._max_per_owner, self._max_bytes = max_per_owner, max_bytes
        self.total_bytes = 0
        """Of all pictures, as of the last sweep, and what was kept here since."""

    async def keep(self, record: Record, pictures: dict[str, bytes]) -> Record:
        """Keeps an analysis and its pictures, by their part; returns it, or the one that an earlier
        request with the same idempotency key has kept.

        Raises StorageFull, TooManyKept, IdempotencyConflict or StillInProgress.
        """
        size = sum(map(len, pictures.values()))
        if self.total_bytes + size > self._max_bytes:
            raise StorageFull("all kept pictures together are at the limit of the operator")
        if await self._records.count(record.owner) >= self._max_per_owner:
            raise TooManyKept(f"{self._max_per_owner} analyses are kept; delete some first")
        record = replace(record, bytes=size, encryption_key=self._blobs.keyring.current)
        if earlier := await self._records.add(record):
            return earlier
        try:
            async with asyncio.TaskGroup() as writing:
                for part, data in pictures.items():
                    writing.create_task(self._blobs.put(name_of(record.id, part), data))
            kept = await self._records.publish(record)
        except BaseException as error:
            await self._give_up(record)
            if isinstance(error, ExceptionGroup):
                raise error.exceptions[0] from error
            raise
        if not kept:
            raise StorageUnavailable("the analysis could not be kept in time")
        self.total_bytes += size
        return record

    async def get(self, owner: str, identifier: str) -> Record | None:
        """Returns one of an owner's analyses."""
        return await self._records.get(owner, identifier)

    async def picture(self, record: Record, part: str) -> bytes | None:
        """Returns one of an analysis's pictures, PNG; None where it was deleted meanwhile."""
        encrypted = bool(record.encryption_key)
        return await self._blobs.get(name_of(record.id, part), encrypted=encrypted)

    async def page(self, owner: str, *, after: Position | None, limit: int) -> list[Record]:
        """Returns an owner's analyses, newest first, from behind a position."""
        return await self._records.page(owner, after=after, limit=limit)

    async def delete(self, owner: str, identifier: str) -> bool:
        """Deletes one of an owner's analyses; False where there is none.

        From then on nobody can read it; where its pictures cannot be deleted now, a sweep will.
        """
        if not await self._records.hide(owner, identifier):
            return False
        try:
            await self._finish([identifier])
        except StorageUnavailable as error:
            logger.warning("a deletion will be completed by a sweep: %s", error)
        return True

    async def delete_all(self, owner: str) -> int:
        """Hides all of an owner's analyses, for the next sweep to delete; returns how many."""
        return await self._records.hide(owner)

    async def sweep(self) -> int:
        """Deletes what has expired, and what a process left half-way; returns how many.

        Several processes may sweep at once.
        """
        swept, metrics = 0, get_history_metrics()
        while claimed := await self._records.claim(_BATCH, now=self._now()):
            await self._finish([each.id for each in claimed])
            for each in claimed:
                if each.expired:
                    self._on_expired(each.id)
            swept += len(claimed)
            metrics.swept.inc(len(claimed))
        self.total_bytes = await self._records.total_bytes()
        metrics.kept_bytes.set(self.total_bytes)
        metrics.kept.set(await self._records.count_all())
        metrics.last_sweep.labels(Swept.ANALYSES).set_to_current_time()
        return swept

    async def _finish(self, identifiers: Sequence[str]) -> None:
        await self._blobs.delete(name_of(each, part) for each in identifiers for part in PARTS)
        await self._records.forget(identifiers)

    async def _give_up(self, record: Record) -> None:
        """Frees the idempotency key for a retry; a sweep deletes what was written."""
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                await self._records.give_up(record.id, now=self._now())
        except (StorageUnavailable, TimeoutError):
            logger.warning("a record that was not completed is left to a sweep")


def name_of(identifier: str, part: str) -> str:
    """Returns the name of a picture; folders by the first digits, none with millions of files."""
    return f"{folder_of(identifier)}/{identifier}.{part}"


def folder_of(identifier: str) -> str:
    """Returns the folder of an analysis's pictures."""
    return identifier[:2]
