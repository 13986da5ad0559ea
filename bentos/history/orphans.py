"""Finds pictures without a record, and visible records without their pictures.

Neither should exist: archive.py keeps them from it. They are the trace of a restored backup, of a
disk or bucket that lost something, or of a fault of ours.

The service may run meanwhile. A picture is listed before its record is looked up, and what has none
is looked up again: a record is deleted after its pictures. A record is read before its pictures are
looked up, and read again: it is hidden before they are deleted.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from bentos.history.archive import PARTS, folder_of, name_of
from bentos.history.blobs import Blob, Blobs
from bentos.history.inventory import Inventory

Known = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Says which of these identifiers have a record."""
OLD = timedelta(hours=1)
"""No request lasts that long: an older picture without a record will never have one."""
_AT_ONCE = 32
"""Pictures that the store is asked for at once."""


@dataclass
class Pictures:
    """How many pictures there are, and how many of them have no record."""

    owned: int = 0
    orphaned: int = 0
    old: int = 0
    """Of the orphaned: those that may be deleted."""


class Orphans:
    """Compares one part of the object store with the database. Methods raise StorageUnavailable."""

    def __init__(self, blobs: Blobs, pattern: str, known: Known) -> None:
        """The first group of `pattern` is the identifier that `known` looks up; whatever has
        another name is not ours."""
        self._blobs, self._pattern, self._known = blobs, re.compile(pattern), known

    async def count(self, *, now: datetime | None = None) -> Pictures:
        """Counts pictures by whether they have a record."""
        found = Pictures()
        async for owned, orphans in self._compared():
            found.owned += owned
            found.orphaned += len(orphans)
            found.old += len(_old(orphans, now))
        return found

    async def delete(self, *, now: datetime | None = None) -> int:
        """Deletes pictures without a record that are older than an hour; returns how many."""
        deleted = 0
        async for _, orphans in self._compared():
            old = _old(orphans, now)
            await self._blobs.delete(each.name for each in old)
            deleted += len(old)
        return deleted

    async def _compared(self) -> AsyncIterator[tuple[int, list[Blob]]]:
        """Yields how many pictures have a record, and those that have none, some at a time."""
        async for chunk in self._blobs.listed():
            ours = [
                (each, found[1]) for each in chunk if (found := self._pattern.fullmatch(each.name))
            ]
            known = await self._known(sorted({identifier for _, identifier in ours}))
            suspects = [each for each, identifier in ours if identifier not in known]
            still = await _existing(self._blobs, [each.name for each in suspects])
            yield len(ours) - len(suspects), [each for each in suspects if each.name in still]


def of_analyses(inventory: Inventory, blobs: Blobs) -> Orphans:
    """Pictures of kept analyses."""
    return Orphans(blobs, rf"[0-9a-f]{{2}}/([0-9a-f]{{32}})\.({'|'.join(PARTS)})", inventory.known)


def of_jobs(inventory: Inventory, blobs: Blobs) -> Orphans:
    """Images of jobs."""
    return Orphans(blobs, r"([0-9a-f]{32})/\d+", inventory.known_jobs)


async def incomplete_records(inventory: Inventory, blobs: Blobs) -> AsyncIterator[list[str]]:
    """Yields the visible records that lack a picture, some at a time.

    Raises StorageUnavailable.
    """
    folder, listed = "", set[str]()
    async for page in inventory.visible():
        suspects: list[str] = []
        for each, identifiers in groupby(page, folder_of):
            if each != folder:
                # Of one of 256 folders: the names of all would not fit into memory.
                names = [one.name async for chunk in blobs.listed(each) for one in chunk]
                folder, listed = each, set(names)
            suspects += [each for each in identifiers if not _is_whole(each, listed)]
        still = await _existing(blobs, [name_of(each, part) for each in suspects for part in PARTS])
        missing = [each for each in suspects if not _is_whole(each, still)]
        visible = await inventory.are_visible(missing)
        if incomplete := [each for each in missing if each in visible]:
            yield incomplete


def _is_whole(identifier: str, names: set[str]) -> bool:
    return all(name_of(identifier, part) in names for part in PARTS)


async def _existing(blobs: Blobs, names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        asked = names[start : start + _AT_ONCE]
        answers = await asyncio.gather(*map(blobs.exists, asked))
        found |= {name for name, exists in zip(asked, answers, strict=True) if exists}
    return found


def _old(orphans: Sequence[Blob], now: datetime | None) -> list[Blob]:
    limit = (now or datetime.now(UTC)) - OLD
    return [each for each in orphans if each.modified <= limit]
