"""The records of all owners, as an operator's commands need them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bentos.database.database import Database
from bentos.database.tables import JobState, State, analyses, jobs

_PAGE = 500
"""Records that are in memory at once, and parameters of one statement."""


class Encrypted(NamedTuple):
    """A visible record, and the name of the key of its pictures; empty where there is none."""

    id: str
    key: str


class Inventory:
    """The table of analyses, those of all owners. Every method raises StorageUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_shared = not database.is_sqlite
        """Whether several processes can write at once."""

    async def known(self, identifiers: Sequence[str]) -> set[str]:
        """Returns which of these have a record, visible or not."""
        found: set[str] = set()
        for start in range(0, len(identifiers), _PAGE):
            chosen = analyses.c.id.in_(identifiers[start : start + _PAGE])
            async with self._database.reading() as connection:
                found |= set(await connection.scalars(select(analyses.c.id).where(chosen)))
        return found

    async def known_jobs(self, keys: Sequence[str]) -> set[str]:
        """Returns which of these jobs there are, visible or not."""
        found: set[str] = set()
        for start in range(0, len(keys), _PAGE):
            chosen = jobs.c.key.in_(keys[start : start + _PAGE])
            async with self._database.reading() as connection:
                found |= set(await connection.scalars(select(jobs.c.key).where(chosen)))
        return found

    async def visible(self, *, now: datetime | None = None) -> AsyncIterator[list[str]]:
        """Yields the identifiers of all visible records in their order, some at a time."""
        last = ""
        while True:
            lasting = analyses.c.expires_at > (now or datetime.now(UTC))
            wanted = (
                select(analyses.c.id)
                .where(analyses.c.id > last, analyses.c.state == State.KEPT, lasting)
                .order_by(analyses.c.id)
                .limit(_PAGE)
            )
            async with self._database.reading() as connection:
                found = list(await connection.scalars(wanted))
            if not found:
                return
            yield found
            last = found[-1]

    async def are_visible(self, identifiers: Sequence[str]) -> set[str]:
        """Returns which of these are visible."""
        lasting = analyses.c.expires_at > datetime.now(UTC)
        wanted = select(analyses.c.id).where(
            analyses.c.id.in_(identifiers), analyses.c.state == State.KEPT, lasting
        )
        async with self._database.reading() as connection:
            return set(await connection.scalars(wanted))

    async def hide(self, identifiers: Sequence[str]) -> int:
        """Hides visible records for good, so that a sweep deletes them; returns how many."""
        which = (analyses.c.id.in_(identifiers), analyses.c.state == State.KEPT)
        hidden = update(analyses).where(*which)
        async with self._database.writing() as connection:
            changed = await connection.execute(
                hidden.values(state=State.DELETING, idempotency_key=None)
            )
            return int(changed.rowcount)

    async def encryption_keys(self) -> dict[str, int]:
        """Returns how many records name each key; empty where pictures are not encrypted."""
        counted = select(analyses.c.encryption_key, func.count())
        counted = counted.where(analyses.c.state != State.DELETING)
        async with self._database.reading() as connection:
            rows = await connection.execute(counted.group_by(analyses.c.encryption_key))
            return {key: count for key, count in rows}

    async def encryption_keys_of_jobs(self) -> dict[str, int]:
        """The same for jobs that have not ended; an image is deleted once it is analysed."""
        counted = select(jobs.c.encryption_key, func.count())
        counted = counted.where(jobs.c.state.in_((JobState.RECEIVING, JobState.QUEUED)))
        async with self._database.reading() as connection:
            rows = await connection.execute(counted.group_by(jobs.c.encryption_key))
            return {key: count for key, count in rows}

    async def encrypted_otherwise(self, key: str) -> AsyncIterator[list[Encrypted]]:
        """Yields visible records that name another key than this, some at a time."""
        last = ""
        while True:
            wanted = (
                select(analyses.c.id, analyses.c.encryption_key)
                .where(
                    analyses.c.id > last,
                    analyses.c.state == State.KEPT,
                    analyses.c.encryption_key != key,
                )
                .order_by(analyses.c.id)
                .limit(_PAGE)
            )
            async with self._database.reading() as connection:
                found = [Encrypted(*row) for row in await connection.execute(wanted)]
            if not found:
                return
            yield found
            last = found[-1].id

    @asynccontextmanager
    async def held(self, identifier: str) -> AsyncIterator["Held | None"]:
        """Lets nobody delete a visible record meanwhile; None where it is not visible any more."""
        which = (analyses.c.id == identifier, analyses.c.state == State.KEPT)
        async with self._database.writing() as connection:
            # In SQLite the transaction alone keeps all others from writing.
            found = await connection.scalar(select(analyses.c.id).where(*which).with_for_update())
            yield Held(connection, identifier) if found else None


class Held:
    """A record that nobody else can change."""

    def __init__(self, connection: AsyncConnection, identifier: str) -> None:
        self._connection, self._identifier = connection, identifier

    async def set_encryption_key(self, key: str) -> None:
        """Names another key of its pictures."""
        mine = analyses.c.id == self._identifier
        await self._connection.execute(update(analyses).where(mine).values(encryption_key=key))
