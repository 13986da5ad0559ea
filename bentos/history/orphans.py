"""Finds pictures without a record, and visible records without their pictures.

Neither should exist: archive.py keeps them from it. They are the trace of a restored backup, of a
disk or bucket that lost something, or of a fault of ours.

The service may run meanwhile. A picture is listed before its record is looked up, and what has none
is looked up again: a record is deleted after its pictures. A record is read before its pictures are
looked up, and read again: it is hidden before they are deleted.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from bentos.history.archive import PARTS, folder_of, name_of
from bentos.history.blobs import Blob, Blobs
from bentos.history.inventory import Inventory

_PICTURE = re.compile(rf"[0-9a-f]{{2}}/([0-9a-f]{{32}})\.({'|'.join(PARTS)})")
"""Whatever else is in the bucket is not ours."""
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
    """Compares the database with the object store. Every method raises StorageUnavailable."""

    def __init__(self, inventory: Inventory, blobs: Blobs) -> None:
        self._inventory, self._blobs = inventory, blobs

    async def count_pictures(self, *, now: datetime | None = None) -> Pictures:
        """Counts pictures by whether they have a record."""
        found = Pictures()
        async for owned, orphans in self._compared():
            found.owned += owned
            found.orphaned += len(orphans)
            found.old += len(_old(orphans, now))
        return found

    async def delete_pictures(self, *, now: datetime | None = None) -> int:
        """Deletes pictures without a record that are older than an hour; returns how many."""
        deleted = 0
        async for _, orphans in self._compared():
            old = _old(orphans, now)
            await self._blobs.delete(each.name for each in old)
            deleted += len(old)
        return deleted

    async def incomplete_records(self) -> AsyncIterator[list[str]]:
        """Yields the visible records that lack a picture, some at a time."""
        folder, listed = "", set[str]()
        async for page in self._inventory.visible():
            suspects: list[str] = []
            for each, identifiers in groupby(page, folder_of):
                if each != folder:
                    folder, listed = each, await self._names_in(each)
                suspects += [
                    identifier
                    for identifier in identifiers
                    if not all(name_of(identifier, part) in listed for part in PARTS)
                ]
            if incomplete := await self._confirmed(suspects):
                yield incomplete

    async def _compared(self) -> AsyncIterator[tuple[int, list[Blob]]]:
        """Yields how many pictures have a record, and those that have none, some at a time."""
        async for chunk in self._blobs.listed():
            pictures = [
                (each, found[1]) for each in chunk if (found := _PICTURE.fullmatch(each.name))
            ]
            known = await self._inventory.known(sorted({identifier for _, identifier in pictures}))
            suspects = [each for each, identifier in pictures if identifier not in known]
            still = await self._existing([each.name for each in suspects])
            orphans = [each for each in suspects if each.name in still]
            yield len(pictures) - len(suspects), orphans

    async def _names_in(self, folder: str) -> set[str]:
        """Of one of 256 folders: the names of all would not fit into memory."""
        return {each.name async for chunk in self._blobs.listed(folder) for each in chunk}

    async def _confirmed(self, suspects: Sequence[str]) -> list[str]:
        """Returns those that are still visible after a picture was found missing."""
        names = [name_of(each, part) for each in suspects for part in PARTS]
        existing = await self._existing(names)
        missing = [
            each for each in suspects if not all(name_of(each, part) in existing for part in PARTS)
        ]
        visible = await self._inventory.are_visible(missing)
        return [each for each in missing if each in visible]

    async def _existing(self, names: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(names), _AT_ONCE):
            asked = names[start : start + _AT_ONCE]
            answers = await asyncio.gather(*map(self._blobs.exists, asked))
            found |= {name for name, exists in zip(asked, answers, strict=True) if exists}
        return found


def _old(orphans: Sequence[Blob], now: datetime | None) -> list[Blob]:
    limit = (now or datetime.now(UTC)) - OLD
    return [each for each in orphans if each.modified <= limit]
