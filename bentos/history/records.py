"""The records of kept analyses: SQL, and nothing but SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from bentos.database.database import Database
from bentos.database.tables import State, analyses
from bentos.history.errors import IdempotencyConflict, StillInProgress
from chestxray.results import Analysis

PENDING_GRACE = timedelta(minutes=10)
"""A record whose pictures are being written for longer belongs to a process that died: no request
lasts that long."""
_CLAIM = timedelta(minutes=1)
"""After this time another process goes on with a deletion."""


@dataclass(frozen=True)
class Record:
    """One kept analysis; its pictures are elsewhere."""

    owner: str
    result: Analysis
    expires_at: datetime
    fingerprint: str
    """Digest of the request."""
    idempotency_key: str | None = None
    bytes: int = 0
    """Of its pictures."""
    encryption_key: str = ""
    """Name of the key that they are encrypted with."""

    @property
    def id(self) -> str:
        """That of the analysis."""
        return self.result.id


CURSOR = r"^[0-9]{1,16}-[0-9a-f]{32}$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """The place of a record in an owner's list, newest first."""

    created_at: datetime
    id: str

    def encode(self) -> str:
        """Returns a text that matches CURSOR."""
        return f"{round(self.created_at.timestamp() * 1_000_000)}-{self.id}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Reads what `encode` has written. Raises ValueError for what does not match CURSOR."""
        microseconds, _, identifier = text.partition("-")
        return cls(_EPOCH + timedelta(microseconds=int(microseconds)), identifier)


class Claimed(NamedTuple):
    """A hidden record whose pictures are to be deleted."""

    id: str
    expired: bool


class Records:
    """The table of analyses. Every method raises StorageUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: Record) -> Record | None:
        """Adds a record that is not visible yet; returns an earlier one of its idempotency key.

        Raises IdempotencyConflict or StillInProgress.
        """
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(analyses).values(**_values(record)))
        except IntegrityError:
            if record.idempotency_key is None:
                raise
            earlier = await self.find_by_key(
                record.owner, record.idempotency_key, record.fingerprint
            )
            if earlier is None:  # it was deleted at this moment
                raise StillInProgress(
                    "the first request with this key was deleted just now"
                ) from None
            return earlier
        return None

    async def find_by_key(self, owner: str, key: str, fingerprint: str) -> Record | None:
        """Returns the kept record with an owner's idempotency key.

        Raises IdempotencyConflict or StillInProgress.
        """
        same = (analyses.c.owner == owner, analyses.c.idempotency_key == key)
        async with self._database.reading() as connection:
            row = (await connection.execute(select(analyses).where(*same))).mappings().first()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise IdempotencyConflict("the idempotency key was used for another request")
        if row["state"] != State.KEPT:
            raise StillInProgress("the first request with this idempotency key has not ended")
        return _record(row)

    async def publish(self, record: Record) -> bool:
        """Makes a record visible; False where it was given up meanwhile."""
        pending = and_(analyses.c.id == record.id, analyses.c.state == State.PENDING)
        return bool(await self._change(pending, state=State.KEPT))

    async def get(self, owner: str, identifier: str) -> Record | None:
        """Returns a kept record of this owner. Nothing tells one of another from none at all."""
        wanted = select(analyses).where(analyses.c.id == identifier, *_visible(owner))
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).mappings().first()
        return _record(row) if row else None

    async def page(self, owner: str, *, after: Position | None, limit: int) -> list[Record]:
        """Returns an owner's records, newest first, from behind a position."""
        wanted = select(analyses).where(*_visible(owner))
        if after:
            wanted = wanted.where(tuple_(analyses.c.created_at, analyses.c.id) < tuple_(*after))
        newest_first = (analyses.c.created_at.desc(), analyses.c.id.desc())
        async with self._database.reading() as connection:
            rows = await connection.execute(wanted.order_by(*newest_first).limit(limit))
            return [_record(row) for row in rows.mappings()]

    async def count(self, owner: str) -> int:
        """Returns how many records an owner has."""
        counted = select(func.count()).where(*_visible(owner))
        async with self._database.reading() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def count_all(self) -> int:
        """Returns how many records there are, whatever their state."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(func.count()).select_from(analyses))
            return int(found.scalar_one())

    async def total_bytes(self) -> int:
        """Returns the size of all pictures."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(func.coalesce(func.sum(analyses.c.bytes), 0)))
            return int(found.scalar_one())

    async def give_up(self, identifier: str, *, now: datetime) -> bool:
        """Hides a record that is not visible yet, and frees its idempotency key.

        Nobody claims it for a while: a write of its pictures that was cancelled may go on in the
        store, and would come after their deletion.
        """
        pending = and_(analyses.c.id == identifier, analyses.c.state == State.PENDING)
        return bool(await self._hide(pending, claimed_at=now))

    async def hide(self, owner: str, identifier: str | None = None) -> int:
        """Hides one of an owner's records, or all of them, for good; returns how many."""
        mine = _visible(owner)
        one = (analyses.c.id == identifier,) if identifier is not None else ()
        return await self._hide(and_(*mine, *one))

    async def claim(self, limit: int, *, now: datetime) -> list[Claimed]:
        """Hides what has expired, and returns hidden records whose pictures the caller is to
        delete; other processes get others."""
        due = or_(
            and_(analyses.c.state == State.KEPT, analyses.c.expires_at <= now),
            and_(analyses.c.state == State.PENDING, analyses.c.created_at <= now - PENDING_GRACE),
            and_(
                analyses.c.state == State.DELETING,
                or_(analyses.c.claimed_at.is_(None), analyses.c.claimed_at <= now - _CLAIM),
            ),
        )
        chosen = select(analyses.c.id).where(due).limit(limit).with_for_update(skip_locked=True)
        claimed = (
            update(analyses)
            .where(analyses.c.id.in_(chosen))
            .values(state=State.DELETING, claimed_at=now, idempotency_key=None)
            .returning(analyses.c.id, analyses.c.expires_at)
        )
        async with self._database.writing() as connection:
            rows = await connection.execute(claimed)
            return [Claimed(identifier, expires_at <= now) for identifier, expires_at in rows]

    async def forget(self, identifiers: Sequence[str]) -> None:
        """Deletes hidden records, whose pictures are gone."""
        gone = delete(analyses).where(
            analyses.c.id.in_(identifiers), analyses.c.state == State.DELETING
        )
        async with self._database.writing() as connection:
            await connection.execute(gone)

    async def _hide(self, which: ColumnElement[bool], **values: Any) -> int:
        return await self._change(which, state=State.DELETING, idempotency_key=None, **values)

    async def _change(self, which: ColumnElement[bool], **values: Any) -> int:
        async with self._database.writing() as connection:
            changed = await connection.execute(update(analyses).where(which).values(**values))
            return int(changed.rowcount)


def _visible(owner: str) -> tuple[ColumnElement[bool], ...]:
    # Within an expression the time of expiry has no index: SQLite, which has no statistics, would
    # take that one, and then read and sort what everybody has kept.
    expires_at = func.coalesce(analyses.c.expires_at, analyses.c.created_at)
    return (
        analyses.c.owner == owner,
        analyses.c.state == State.KEPT,
        expires_at > datetime.now(UTC),
    )


def _values(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "owner": record.owner,
        "state": State.PENDING,
        "created_at": record.result.created_at,
        "expires_at": record.expires_at,
        "result": record.result.model_dump(mode="json"),
        "bytes": record.bytes,
        "encryption_key": record.encryption_key,
        "idempotency_key": record.idempotency_key,
        "fingerprint": record.fingerprint,
    }


def _record(row: Any) -> Record:
    return Record(
        owner=row["owner"],
        result=Analysis.model_validate(row["result"]),
        expires_at=row["expires_at"],
        bytes=row["bytes"],
        encryption_key=row["encryption_key"],
        idempotency_key=row["idempotency_key"],
        fingerprint=row["fingerprint"],
    )
