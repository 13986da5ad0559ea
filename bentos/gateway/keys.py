"""Routes of API keys, for callers with the scope admin: by the rules of `chestxray keys`."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from bentos.audit.trail import Event, Outcome
from bentos.callers import key_rules
from bentos.callers.api_keys import ApiKey, LastAdminKey
from bentos.callers.caller import Caller, Scope
from bentos.callers.key_rules import KeyState
from bentos.callers.shown_keys import Key, shown
from bentos.gateway import examples, json_bodies, openapi
from bentos.gateway.keeping import Keeping, translated
from bentos.gateway.key_forms import (
    IssuedKey,
    Keys,
    KeysPage,
    NewKey,
    Revocation,
    Rotation,
    issued,
)
from bentos.history.history import History
from bentos.http.negotiation import JSON, acceptable
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from bentos.settings import Settings

KEYS = "/v1/keys"
_ONE = f"{KEYS}/{{id}}"

Identifier = Annotated[
    str,
    Path(
        alias="id",
        description="`id` of the key",
        examples=[examples.KEY_ID],
        json_schema_extra={"pattern": key_rules.IDENTIFIER},  # another id is answered 404
    ),
]


class _Access:
    """Who may do what; its methods are dependencies of the routes."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self.history: History = keeping.history

    async def administrator(self, request: Request) -> Caller:
        """Returns a caller with the scope admin. Raises RequestProblem."""
        return await self._keeping.caller(request, Scope.ADMIN)

    async def found(self, request: Request, identifier: Identifier) -> tuple[Caller, ApiKey]:
        """Returns a caller with the scope admin, and a key. Raises RequestProblem."""
        caller = await self.administrator(request)
        key, about = None, {}
        if key_rules.is_identifier(identifier):  # else it may be a whole key
            about = {"key": identifier}
            with translated():
                key = await self.history.keys.get(identifier)
        if key is None:
            self.note(caller, Event.KEY_READ, outcome=Outcome.NOT_FOUND, **about)
            detail = "there is no key with this id; the list has all"
            raise RequestProblem(HTTPStatus.NOT_FOUND, "no-such-key", detail)
        return caller, key

    def note(self, caller: Caller, event: Event, **about: Any) -> None:
        """Adds a line to the audit trail."""
        self.history.trail.record(event, caller.owner, **about)

    def check(self, caller: Caller, event: Event, scopes: "frozenset[Scope]", **about: Any) -> None:
        """Raises RequestProblem 403 if a caller would get at what it may not do itself."""
        if missing := key_rules.beyond(scopes, caller.scopes):
            code = "scope-missing"
            self.note(caller, event, outcome=Outcome.REFUSED, reason=code, **about)
            detail = f"the caller lacks the scope {missing[0]}, so it can give it to no key"
            raise RequestProblem(HTTPStatus.FORBIDDEN, code, detail)


def create_router(keeping: Keeping, settings: Settings) -> APIRouter:
    """Builds the routes of a service that keeps analyses."""
    router, access = APIRouter(tags=["keys"]), _Access(keeping)
    _add_all(router, access, settings)
    _add_one(router, access)
    return router


def _add_all(router: APIRouter, access: _Access, settings: Settings) -> None:
    Administrator = Annotated[Caller, Depends(access.administrator)]

    async def wanted(_: Administrator, request: Request) -> NewKey:  # nobody else's body is read
        return await json_bodies.read(request, NewKey, pause=settings.body_timeout_seconds)

    @router.post(KEYS, response_model=IssuedKey, status_code=HTTPStatus.CREATED, **_CREATE)
    async def create_key(
        caller: Administrator, asked: Annotated[NewKey, Depends(wanted)], response: Response
    ) -> IssuedKey:
        """Makes a key and returns it with its secret, which is shown only now."""
        access.check(caller, Event.KEY_CREATED, frozenset(asked.scopes))
        with translated():
            key, text = await access.history.keys.create(
                asked.name,
                asked.scopes,
                requests_per_minute=asked.requests_per_minute,
                retention_hours=asked.retention_hours,
                lifetime=asked.lifetime,
            )
        access.note(caller, Event.KEY_CREATED, key=key.id)
        response.headers["Location"] = f"{prefix.get()}{KEYS}/{key.id}"
        return issued(_shown(key), text)

    @router.get(KEYS, response_model=Keys, **_LIST)
    async def list_keys(
        caller: Administrator, response: Response, page: Annotated[KeysPage, Query()]
    ) -> Keys:
        """Lists the keys, newest first, without their secrets."""
        with translated():
            found = await access.history.keys.page(
                ended=page.ended, after=page.cursor, limit=page.limit + 1
            )
        listed, following = found[: page.limit], None
        if len(found) > page.limit:
            following = listed[-1].id
            query = f"limit={page.limit}&ended={str(page.ended).lower()}&cursor={following}"
            response.headers["Link"] = f'<{prefix.get()}{KEYS}?{query}>; rel="next"'
        access.note(caller, Event.KEYS_LISTED, keys=[each.id for each in listed])
        return Keys(keys=[_shown(each) for each in listed], next=following)


def _add_one(router: APIRouter, access: _Access) -> None:
    Found = Annotated[tuple[Caller, ApiKey], Depends(access.found)]

    @router.get(_ONE, response_model=Key, **_GET)
    async def get_key(found: Found) -> Key:
        """Returns a key without its secret."""
        caller, key = found
        access.note(caller, Event.KEY_READ, key=key.id)
        return _shown(key)

    @router.post(f"{_ONE}/rotate", response_model=IssuedKey, **_ROTATE)
    async def rotate_key(found: Found, asked: Annotated[Rotation, Query()]) -> IssuedKey:
        """Gives a key a new secret, which is shown only now. Who has it reads what the key has
        kept."""
        caller, key = found
        access.check(caller, Event.KEY_ROTATED, key.scopes, key=key.id)
        with translated():
            overlap = timedelta(hours=asked.overlap_hours)
            rotated = await access.history.keys.rotate(key.id, overlap=overlap)
        if rotated is None:
            state = key.state(datetime.now(UTC))
            why = f"is {state}" if state is not KeyState.VALID else "was changed just now"
            access.note(caller, Event.KEY_ROTATED, outcome=Outcome.REFUSED, key=key.id)
            raise RequestProblem(HTTPStatus.CONFLICT, "key-ended", f"the key {why}")
        access.note(caller, Event.KEY_ROTATED, key=key.id)
        changed, text = rotated
        return issued(_shown(changed), text)

    @router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_REVOKE)
    async def revoke_key(found: Found, asked: Annotated[Revocation, Query()]) -> None:
        """Ends a key for good; each gateway refuses it within seconds. What it has kept is deleted
        when it expires. A key that was revoked before stays so."""
        caller, key = found
        code = "last-admin-key"
        try:
            with translated():
                revoked = await access.history.keys.revoke(key.id, spares_last_admin=not asked.last)
        except LastAdminKey as error:
            about = {"outcome": Outcome.REFUSED, "reason": code}
            access.note(caller, Event.KEY_REVOKED, key=key.id, **about)
            detail = "no other valid key has the scope admin; last=true revokes it all the same"
            raise RequestProblem(HTTPStatus.CONFLICT, code, detail) from error
        if revoked:
            access.note(caller, Event.KEY_REVOKED, key=key.id)


def _shown(key: ApiKey) -> Key:
    return shown(key, now=datetime.now(UTC))


_JSON: dict[str, Any] = {"dependencies": [Depends(acceptable(JSON))]}
_CREATE: dict[str, Any] = _JSON | {
    "summary": "Make an API key",
    "openapi_extra": openapi.json_body(NewKey, examples.NEW_KEY),
    "responses": openapi.created("The key with its secret", schema=IssuedKey.__name__)
    | openapi.problems(400, 401, 403, 406, 408, 413, 415, 500, 503),
}
_LIST: dict[str, Any] = _JSON | {
    "summary": "List API keys",
    "responses": openapi.answer("Some of the keys", "Link", "Vary")
    | openapi.problems(400, 401, 403, 406, 500, 503),
}
_ONE_OF_THEM = openapi.problems(400, 401, 403, 404, 406, 500, 503)
_GET: dict[str, Any] = _JSON | {
    "summary": "Get an API key",
    "responses": openapi.answer("The key", "Vary") | _ONE_OF_THEM,
}
_ROTATE: dict[str, Any] = _JSON | {
    "summary": "Rotate an API key",
    "responses": openapi.answer("The key with its new secret", "Vary")
    | _ONE_OF_THEM
    | openapi.problems(409),
}
_REVOKE: dict[str, Any] = {
    "summary": "Revoke an API key",
    "responses": openapi.problems(400, 401, 403, 404, 409, 500, 503),
}
