"""Lets pages of other sites call the API from a browser, where the operator names them."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope, Send

from bentos.http.problems import RequestProblem, refused

_METHODS = ("GET", "HEAD", "POST")
_SENT = ("X-Request-ID", "X-Request-Timeout-Ms", "traceparent", "tracestate")
_EXPOSED = ("X-Request-ID", "Retry-After", "Server-Timing", "traceparent", "Allow", "ETag")


class Cors:
    """The rules of one server; without origins it does nothing."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._on = bool(origins)
        self._rules = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_EXPOSED,
        )

    def sending(self, scope: Scope, send: Send) -> Send:
        """A `send` whose answers a page of an allowed site may read, refusals too."""
        if not self._on:
            return send
        return partial(self._rules.send, send=send, request_headers=Headers(scope=scope))

    def preflight(self, scope: Scope, request_id: str) -> Response | None:
        """The answer to a browser that asks whether it may send a request (Fetch, 4.8)."""
        headers = Headers(scope=scope)
        asks = "origin" in headers and "access-control-request-method" in headers
        if not self._on or scope["method"] != "OPTIONS" or not asks:
            return None
        answer = self._rules.preflight_response(headers)
        rules = {
            name: value
            for name, value in answer.headers.items()
            if name == "vary" or name.startswith("access-control-")
        }
        if answer.status_code == HTTPStatus.OK:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=rules)
        detail = f"{bytes(answer.body).decode().lower()}; CHESTXRAY_CORS_ORIGINS names the sites"
        problem = RequestProblem(HTTPStatus.FORBIDDEN, "cors-not-allowed", detail, headers=rules)
        return refused(problem, request_id)
