"""Encrypts kept pictures anew with the current key, while the service runs.

A picture is replaced as a whole, and its record names the new key after that. Whatever dies in
between, the pictures of a record are under the key that it names or under the current one, and
readers try the key that the picture itself names. So this may be killed, and started again.

Nobody can delete a record while its pictures are replaced: otherwise they would be back after their
deletion.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from bentos.history.archive import PARTS, name_of
from bentos.history.blobs import Blobs
from bentos.history.errors import CannotDecrypt
from bentos.history.inventory import Encrypted, Inventory

logger = logging.getLogger(__name__)

_AT_ONCE = 4
"""Records in work at once; SQLite has one writer."""


@dataclass
class Progress:
    """What became of the records so far."""

    done: int = 0
    deleted: int = 0
    """Meanwhile, by their owner or because they expired."""
    failed: int = 0
    """A picture is missing, or its key is not configured."""


class Reencryption:
    """Replaces pictures by others under the current key."""

    def __init__(self, inventory: Inventory, blobs: Blobs) -> None:
        self._inventory, self._blobs = inventory, blobs
        self._current = blobs.keyring.current
        self._free = asyncio.Semaphore(_AT_ONCE if inventory.is_shared else 1)
        self._failed = set[str]()
        self.progress = Progress()

    async def run(self, advance: Callable[[], object] = lambda: None) -> Progress:
        """Encrypts all that is under another key; `advance` is called after each record.

        Raises StorageUnavailable.
        """
        before = -1
        while before < self.progress.done:  # a gateway with the old settings may keep one meanwhile
            before = self.progress.done
            async for page in self._inventory.encrypted_otherwise(self._current):
                try:
                    async with asyncio.TaskGroup() as tasks:
                        for each in page:
                            if each.id not in self._failed:
                                tasks.create_task(self._take(each, advance))
                except ExceptionGroup as group:
                    raise group.exceptions[0] from None
        return self.progress

    async def _take(self, record: Encrypted, advance: Callable[[], object]) -> None:
        async with self._free:
            try:
                await _to_the_end(self._replace(record))
            except CannotDecrypt as error:
                logger.error("the pictures of an analysis keep their key: %s", error)
                self._failed.add(record.id)
                self.progress.failed += 1
        advance()

    async def _replace(self, record: Encrypted) -> None:
        names = [name_of(record.id, part) for part in PARTS]
        read = [await self._blobs.get(each, encrypted=bool(record.key)) for each in names]
        async with self._inventory.held(record.id) as held:
            if held is None:
                self.progress.deleted += 1
                return
            pictures = {n: data for n, data in zip(names, read, strict=True) if data is not None}
            if len(pictures) < len(names):
                raise CannotDecrypt("a picture of it is missing")
            writing = (self._blobs.put(name, data) for name, data in pictures.items())
            # No write may go on after the record is free again.
            for failure in await asyncio.gather(*writing, return_exceptions=True):
                if failure:
                    raise failure
            await held.set_encryption_key(self._current)
        self.progress.done += 1


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Finishes what was begun, also where this task is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
