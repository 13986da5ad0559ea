"""HEAD for every GET route, and OPTIONS for every route (RFC 9110, 9.3)."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentos.http.request_rules import METHODS, SERVER_WIDE

_REFUSED = HTTPStatus.METHOD_NOT_ALLOWED


class Methods:
    """Wraps an app whose routes only define GET; the server omits the body of a HEAD response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == SERVER_WIDE:
            await _allowing(", ".join(METHODS))(scope, receive, send)
            return
        asked = scope["method"] == "OPTIONS"
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        replaced = False

        async def answer(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            allowed = _allowed(message, scope)
            if allowed and asked:
                replaced = True
                await _allowing(allowed)(scope, receive, send)
                return
            if allowed:
                MutableHeaders(scope=message)["Allow"] = allowed
            await send(message)

        await self._app(scope, receive, answer)


def _allowing(methods: str) -> Response:
    return Response(headers={"Allow": methods})


def _allowed(message: Message, scope: Scope) -> str:
    """Returns the value of Allow for a 405 response; empty for any other response.

    Starlette's own names the methods of the first route with this path, and there may be several.
    """
    if message["type"] != "http.response.start" or message["status"] != _REFUSED:
        return ""
    named = {name.strip() for name in MutableHeaders(scope=message).get("allow", "").split(",")}
    routes = scope["app"].routes if "app" in scope else ()
    for method in METHODS:
        asked = {**scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in routes):
            named.add(method)
    return ", ".join(sorted((named | {"OPTIONS"} | ({"HEAD"} if "GET" in named else set())) - {""}))
