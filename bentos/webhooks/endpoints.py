"""The table of webhooks: where a caller wants to be told that its jobs have ended."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from bentos.database.database import Database
from bentos.database.tables import webhook_deliveries, webhooks
from bentos.history.encryption import Keyring
from bentos.webhooks.signing import new_secret

MOST = 10
"""Webhooks of one caller."""
OVERLAP = timedelta(days=1)
"""After a rotation both secrets sign for this time."""


class TooManyWebhooks(Exception):
    """One caller has as many webhooks as it may."""


@dataclass(frozen=True)
class Endpoint:
    """One webhook as it is stored; its secrets are encrypted where there are keys."""

    id: str
    owner: str
    url: str
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    encryption_key: str
    created_at: datetime
    failing_since: datetime | None = None
    disabled: str | None = None
    """Why nothing is delivered to it any more."""

    def secrets(self, keyring: Keyring, *, now: datetime) -> list[str]:
        """Returns the secrets that sign, the newest first. Raises CannotDecrypt."""
        found = [self.secret]
        if self.previous_secret and self.previous_until and now < self.previous_until:
            found.append(self.previous_secret)
        return [opened(keyring, self.id, each, key=self.encryption_key) for each in found]


class Endpoints:
    """All webhooks. Every method raises StorageUnavailable."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    async def create(self, owner: str, url: str) -> tuple[Endpoint, str]:
        """Returns a new webhook and its secret, which nothing shows again.

        Raises TooManyWebhooks.
        """
        identifier, secret = uuid.uuid4().hex, new_secret()
        made = Endpoint(
            id=identifier,
            owner=owner,
            url=url,
            secret=sealed(self._keyring, identifier, secret),
            previous_secret=None,
            previous_until=None,
            encryption_key=self._keyring.current,
            created_at=datetime.now(UTC),
        )
        counted = select(func.count()).where(webhooks.c.owner == owner)
        async with self._database.writing() as connection:
            if not self._database.is_sqlite:  # two at once would both find the last place free
                lock = func.pg_advisory_xact_lock(func.hashtext(f"webhooks of {owner}"))
                await connection.execute(select(lock))
            if (await connection.execute(counted)).scalar_one() >= MOST:
                raise TooManyWebhooks(f"the caller has {MOST} webhooks; delete one first")
            await connection.execute(insert(webhooks).values(**vars(made)))
        return made, secret

    async def list(self, owner: str) -> Sequence[Endpoint]:
        """Returns an owner's webhooks, oldest first."""
        mine = select(webhooks).where(webhooks.c.owner == owner)
        async with self._database.reading() as connection:
            rows = await connection.execute(mine.order_by(webhooks.c.created_at, webhooks.c.id))
            return [endpoint_of(row) for row in rows.mappings()]

    async def get(self, owner: str, identifier: str) -> Endpoint | None:
        """Returns one of an owner's webhooks; nothing tells another's from none."""
        mine = (webhooks.c.owner == owner, webhooks.c.id == identifier)
        async with self._database.reading() as connection:
            row = (await connection.execute(select(webhooks).where(*mine))).mappings().first()
        return endpoint_of(row) if row else None

    async def delete(self, endpoint: Endpoint) -> bool:
        """Deletes a webhook with its deliveries; False where that was done already."""
        async with self._database.writing() as connection:
            # The webhook first, as everywhere: who adds a delivery has locked it.
            gone = await connection.execute(delete(webhooks).where(webhooks.c.id == endpoint.id))
            of_it = webhook_deliveries.c.webhook == endpoint.id
            await connection.execute(delete(webhook_deliveries).where(of_it))
            return bool(gone.rowcount)

    async def rotate(self, endpoint: Endpoint) -> tuple[Endpoint, str] | None:
        """Gives a webhook a new secret, and returns both; the old one signs, too, for a day.

        None where it was deleted or changed by somebody else at the same moment.
        """
        secret, old = new_secret(), endpoint.secret
        if endpoint.encryption_key != self._keyring.current:  # a webhook's secrets have one key
            text = opened(self._keyring, endpoint.id, old, key=endpoint.encryption_key)
            old = sealed(self._keyring, endpoint.id, text)
        changes: dict[str, Any] = {
            "secret": sealed(self._keyring, endpoint.id, secret),
            "previous_secret": old,
            "previous_until": datetime.now(UTC) + OVERLAP,
            "encryption_key": self._keyring.current,
        }
        same = (webhooks.c.id == endpoint.id, webhooks.c.secret == endpoint.secret)
        async with self._database.writing() as connection:
            changed = await connection.execute(update(webhooks).where(*same).values(**changes))
        if not changed.rowcount:
            return None
        return Endpoint(**vars(endpoint) | changes), secret


def endpoint_of(row: Any) -> Endpoint:
    """Returns a webhook from its row."""
    return Endpoint(**{name: row[name] for name in Endpoint.__dataclass_fields__})


def sealed(keyring: Keyring, identifier: str, secret: str) -> bytes:
    """Returns a secret as it is stored."""
    return keyring.encrypt(secret.encode(), name=_name(identifier))


def opened(keyring: Keyring, identifier: str, stored: bytes, *, key: str) -> str:
    """Returns a stored secret. Raises CannotDecrypt."""
    return keyring.decrypt(stored, name=_name(identifier), encrypted=bool(key)).decode()


def _name(identifier: str) -> str:
    return f"webhooks/{identifier}"
