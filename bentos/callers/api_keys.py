"""API keys: their text, and the table of them. A key is shown once and stored as a digest."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bentos.callers.caller import KEY_OWNER, Caller, Scope
from bentos.callers.key_rules import KeyState
from bentos.database.database import Database
from bentos.database.tables import api_keys

_TEXT = re.compile(r"cxr_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
"""The prefix lets scanners of repositories recognise a key that was published by mistake."""
_SECRET_BYTES = 32
_ROTATED = ("digest", "previous_digest", "previous_until")
"""What a rotation changes."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it is stored, without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    requests_per_minute: int | None = None
    retention_hours: int | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    digest: str = ""
    previous_digest: str | None = None
    previous_until: datetime | None = None

    def opens(self, secret: str, *, now: datetime) -> bool:
        """Whether this is the key's secret, and the key is valid; in constant time."""
        given = _digest(secret)
        is_current = hmac.compare_digest(given, self.digest)
        is_previous = hmac.compare_digest(given, self.previous_digest or "")
        in_transition = self.previous_until is not None and now < self.previous_until
        is_valid = self.state(now) is KeyState.VALID
        return is_valid and (is_current or (is_previous and in_transition))

    def state(self, now: datetime) -> KeyState:
        """Whether it opens anything."""
        if self.revoked_at:
            return KeyState.REVOKED
        has_expired = self.expires_at is not None and self.expires_at <= now
        return KeyState.EXPIRED if has_expired else KeyState.VALID

    @property
    def caller(self) -> Caller:
        """Who uses it."""
        return Caller(
            f"{KEY_OWNER}{self.id}", self.scopes, self.retention_hours, self.requests_per_minute
        )


class LastAdminKey(Exception):
    """Without this key none with the scope admin would be valid."""


def parse(text: str) -> tuple[str, str] | None:
    """Returns the identifier and the secret of a key; None if it is no key."""
    found = _TEXT.fullmatch(text)
    return (found[1], found[2]) if found else None


class ApiKeys:
    """The table of keys. Every method raises StorageUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        requests_per_minute: int | None = None,
        retention_hours: int | None = None,
        lifetime: timedelta | None = None,
    ) -> tuple[ApiKey, str]:
        """Returns a new key and its text, which nothing can tell again."""
        now = datetime.now(UTC)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        key = ApiKey(
            id=secrets.token_hex(8),
            name=name,
            scopes=frozenset(scopes),
            created_at=now,
            requests_per_minute=requests_per_minute,
            retention_hours=retention_hours,
            expires_at=now + lifetime if lifetime else None,
            digest=_digest(secret),
        )
        values = vars(key) | {"scopes": " ".join(sorted(key.scopes))}
        async with self._database.writing() as connection:
            await connection.execute(insert(api_keys).values(**values))
        return key, _text(key.id, secret)

    async def rotate(self, identifier: str, *, overlap: timedelta) -> tuple[ApiKey, str] | None:
        """Gives a key a new secret, and returns both; the old one is valid for `overlap` more.

        None if there is no such key, it has ended, or it is rotated by another at this moment.
        """
        key = await self.get(identifier)
        if key is None or key.state(datetime.now(UTC)) is not KeyState.VALID:
            return None
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        rotated = replace(
            key,
            digest=_digest(secret),
            previous_digest=key.digest,
            previous_until=datetime.now(UTC) + overlap,
        )
        changes = {name: getattr(rotated, name) for name in _ROTATED}
        same = (api_keys.c.id == identifier, api_keys.c.digest == key.digest)
        async with self._database.writing() as connection:
            changed = await connection.execute(update(api_keys).where(*same).values(**changes))
        if not changed.rowcount:
            return None
        return rotated, _text(identifier, secret)

    async def revoke(self, identifier: str, *, spares_last_admin: bool = False) -> bool:
        """Ends a key for good; False if there is none that is not revoked.

        Raises LastAdminKey, where that is to be spared.
        """
        valid = (api_keys.c.id == identifier, api_keys.c.revoked_at.is_(None))
        ended = update(api_keys).where(*valid).values(revoked_at=datetime.now(UTC))
        async with self._database.writing() as connection:
            if spares_last_admin and await _valid_administrators(connection) == {identifier}:
                raise LastAdminKey
            return bool((await connection.execute(ended)).rowcount)

    async def get(self, identifier: str) -> ApiKey | None:
        """Returns a key by its identifier."""
        wanted = select(api_keys).where(api_keys.c.id == identifier)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).mappings().first()
        return _key(row) if row else None

    async def list(self, *, ended: bool = False) -> Sequence[ApiKey]:
        """Returns all keys, oldest first; those that are revoked or expired only where wanted."""
        wanted = select(api_keys).order_by(api_keys.c.created_at)
        if not ended:
            wanted = wanted.where(*_valid())
        return await self._fetch(wanted)

    async def page(self, *, ended: bool, after: str | None, limit: int) -> Sequence[ApiKey]:
        """Returns keys, newest first, from behind that with an identifier."""
        wanted = select(api_keys).where(*(() if ended else _valid()))
        if after:
            if (last := await self.get(after)) is None:
                return []
            place = tuple_(last.created_at, last.id)
            wanted = wanted.where(tuple_(api_keys.c.created_at, api_keys.c.id) < place)
        newest_first = (api_keys.c.created_at.desc(), api_keys.c.id.desc())
        return await self._fetch(wanted.order_by(*newest_first).limit(limit))

    async def _fetch(self, wanted: "Select[Any]") -> Sequence[ApiKey]:
        async with self._database.reading() as connection:
            return [_key(row) for row in (await connection.execute(wanted)).mappings()]


def _valid() -> tuple["ColumnElement[bool]", ...]:
    """Conditions of a key that has not ended."""
    lasting = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > datetime.now(UTC))
    return api_keys.c.revoked_at.is_(None), lasting


async def _valid_administrators(connection: AsyncConnection) -> set[str]:
    """Returns the valid keys with the scope admin, locked, so that two requests that each end
    another's do not end both."""
    holds = api_keys.c.scopes.contains(Scope.ADMIN)  # no scope's name is a part of another's
    wanted = select(api_keys.c.id).where(holds, *_valid()).order_by(api_keys.c.id)
    return set((await connection.execute(wanted.with_for_update())).scalars())


def _digest(secret: str) -> str:
    """SHA-256: a secret of 256 random bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _text(identifier: str, secret: str) -> str:
    return f"cxr_{identifier}_{secret}"


def _key(row: Any) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(map(Scope, row["scopes"].split()))})
