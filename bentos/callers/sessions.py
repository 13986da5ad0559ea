"""The session of a person who has signed in: a signed cookie, and the list of those that ended.

The cookie has a digest of issuer and subject, what the person may do, an end, and a random name.
The digest is keyed: a subject may be a number of a national register, which could be guessed from a
plain one.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from bentos.callers.caller import PERSON_OWNER, Caller, Scope
from bentos.database.database import Database
from bentos.database.errors import StorageUnavailable
from bentos.database.tables import ended_sessions

COOKIE = "chestxray_session"
_DIGEST_CHARACTERS = 32
_FRESH_SECONDS = 5.0
"""The list is asked again after this time: a session that ended elsewhere ends here by then."""
_STALE_SECONDS = 900.0
"""A session that had not ended is believed for this time while the database does not answer."""
_MAX_REMEMBERED = 4096


@dataclass(frozen=True)
class Session:
    """Who has signed in, and until when."""

    id: str
    caller: Caller
    expires_at: datetime


class Sessions:
    """Signs and verifies the cookies, and ends sessions."""

    def __init__(
        self,
        database: Database,
        secret: str,
        *,
        issuer: str,
        lifetime: timedelta,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """A cookie of another issuer is not recognised."""
        self._database, self._secret, self._issuer = database, secret.encode(), issuer
        self._lifetime, self._clock, self._now = lifetime, clock, now
        self._serializer = URLSafeSerializer(
            secret,
            salt=f"{COOKIE} {issuer}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
        self._valid: OrderedDict[str, float] = OrderedDict()

    def begin(self, subject: str, scopes: frozenset[Scope]) -> tuple[Session, str]:
        """Returns a new session of a person, and its cookie."""
        named = hmac.new(self._secret, f"{self._issuer}\0{subject}".encode(), hashlib.sha256)
        owner = f"{PERSON_OWNER}{named.hexdigest()[:_DIGEST_CHARACTERS]}"
        ends = (self._now() + self._lifetime).replace(microsecond=0)
        session = Session(secrets.token_hex(16), Caller(owner, scopes), ends)
        values = [session.id, owner, sorted(scopes), int(ends.timestamp())]
        return session, str(self._serializer.dumps(values))

    def recognise(self, cookie: str) -> Session | None:
        """Returns the session of a cookie; None if we have not signed it, or its time is over."""
        try:
            identifier, owner, scopes, ends = self._serializer.loads(cookie)
            caller = Caller(owner, frozenset(map(Scope, scopes)))
            session = Session(identifier, caller, datetime.fromtimestamp(ends, UTC))
        except (BadData, ValueError, TypeError):
            return None
        return session if self._now() < session.expires_at else None

    async def find(self, cookie: str) -> Session | None:
        """Returns the session of a cookie unless it has ended. Raises StorageUnavailable."""
        session = self.recognise(cookie)
        if session is None or await self._has_ended(session.id):
            return None
        return session

    async def end(self, session: Session) -> None:
        """Ends a session for good, and forgets those that are over. Raises StorageUnavailable."""
        row = insert(ended_sessions).values(id=session.id, expires_at=session.expires_at)
        over = delete(ended_sessions).where(ended_sessions.c.expires_at <= self._now())
        self._valid.pop(session.id, None)
        with suppress(IntegrityError):  # it has been ended already
            async with self._database.writing() as connection:
                await connection.execute(over)
                await connection.execute(row)

    async def _has_ended(self, identifier: str) -> bool:
        now = self._clock()
        since = self._valid.get(identifier, -_STALE_SECONDS)
        if now - since < _FRESH_SECONDS:
            return False
        try:
            ended = await self._is_listed(identifier)
        except StorageUnavailable:
            if now - since < _STALE_SECONDS:
                return False
            raise
        if ended:
            self._valid.pop(identifier, None)
            return True
        self._valid[identifier] = now
        self._valid.move_to_end(identifier)
        if len(self._valid) > _MAX_REMEMBERED:
            self._valid.popitem(last=False)
        return False

    async def _is_listed(self, identifier: str) -> bool:
        wanted = select(ended_sessions.c.id).where(ended_sessions.c.id == identifier)
        async with self._database.reading() as connection:
            found: Any = (await connection.execute(wanted)).scalar_one_or_none()
        return found is not None
