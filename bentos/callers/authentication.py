"""Finds out who sent a request: by a key, a session, or the cookie of a visitor."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request

from bentos.audit.trail import Event, Outcome, Trail
from bentos.callers import api_keys, sessions
from bentos.callers.api_keys import ApiKey, ApiKeys
from bentos.callers.caller import ANONYMOUS, NOBODY, Caller, Scope
from bentos.callers.sessions import Sessions
from bentos.callers.visitors import COOKIE, Visitors
from bentos.database.errors import StorageUnavailable
from bentos.http import same_origin
from bentos.http.problems import RequestProblem

_FRESH_SECONDS = 5.0
"""A key is looked up again after this time: a revoked one ends by then."""
_STALE_SECONDS = 900.0
"""A key that was valid is believed for this time while the database does not answer."""
_MAX_REMEMBERED = 4096
_SCHEME = "bearer "


class Known(NamedTuple):
    """A caller, and until when it is known."""

    caller: Caller
    until: datetime | None = None
    """The end of a person's session."""


class Authentication:
    """Tells callers apart by their key or cookie."""

    def __init__(
        self,
        keys: ApiKeys,
        visitors: Visitors,
        *,
        anonymous: bool,
        trail: Trail,
        people: Sessions | None = None,
        public_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`anonymous` says whether those without a key may do anything; without `people` nobody
        signs in."""
        self._people, self._public_url = people, public_url
        self._keys, self._visitors, self._anonymous = keys, visitors, anonymous
        self._clock, self._trail = clock, trail
        self._remembered: OrderedDict[str, tuple[ApiKey | None, float]] = OrderedDict()

    async def caller(self, request: Request, *scopes: Scope) -> Caller:
        """Returns who sent a request, if that caller may do all of this. Raises RequestProblem."""
        owner = ""
        try:
            caller = await self._identify(request)
            owner = caller.owner
            _check(caller, scopes)
        except RequestProblem as problem:
            reason = problem.code
            self._trail.record(Event.REFUSED, owner, outcome=Outcome.REFUSED, reason=reason)
            raise
        return caller

    async def known(self, request: Request) -> Known:
        """Returns who sent a request, or nobody where a key or a sign-in is needed. Raises
        RequestProblem for a key that is not valid."""
        header = request.headers.get("authorization", "")
        if header.lower().startswith(_SCHEME):
            return Known(await self._holder(header[len(_SCHEME) :].strip()))
        cookie = request.cookies.get(sessions.COOKIE, "") if self._people else ""
        if self._people and cookie and (session := await self._people.find(cookie)):
            return Known(session.caller, session.expires_at)
        if not self._anonymous:
            return Known(NOBODY)
        cookie = request.cookies.get(COOKIE, "")
        return Known((self._visitors.recognise(cookie) if cookie else None) or ANONYMOUS)

    async def _identify(self, request: Request) -> Caller:
        caller = (await self.known(request)).caller
        if caller is NOBODY:
            detail = "this service needs an API key"
            detail += ", or that you sign in" if self._people else ""
            raise _unauthorised("key-required", detail, 'realm="chestxray"')
        if caller.is_person:
            same_origin.check(request, self._public_url)
        return caller

    async def _holder(self, text: str) -> Caller:
        parsed = api_keys.parse(text)
        if parsed:
            identifier, secret = parsed
            key = await self._look_up(identifier)
            if key and key.opens(secret, now=datetime.now(UTC)):
                return key.caller
        detail = "the API key is not valid: it is unknown, revoked or expired"
        raise _unauthorised("invalid-key", detail, 'realm="chestxray", error="invalid_token"')

    async def _look_up(self, identifier: str) -> ApiKey | None:
        now = self._clock()
        key, since = self._remembered.get(identifier, (None, -_STALE_SECONDS))
        if now - since < _FRESH_SECONDS:
            return key
        try:
            key = await self._keys.get(identifier)
        except StorageUnavailable:
            if key and now - since < _STALE_SECONDS:
                return key
            raise
        self._remembered[identifier] = key, now
        self._remembered.move_to_end(identifier)
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return key


def _check(caller: Caller, scopes: Sequence[Scope]) -> None:
    """Raises RequestProblem if a caller may not do all of this."""
    if missing := sorted(set(scopes) - caller.scopes):
        what = "your roles lack" if caller.is_person else "the API key lacks"
        detail = f"{what} the scope {missing[0]}; ask the operator for one with it"
        raise RequestProblem(HTTPStatus.FORBIDDEN, "scope-missing", detail)


def _unauthorised(code: str, detail: str, challenge: str) -> RequestProblem:
    headers = {"WWW-Authenticate": f"Bearer {challenge}"}
    return RequestProblem(HTTPStatus.UNAUTHORIZED, code, detail, headers=headers)
