"""CORS: lets pages of configured sites call the API from a browser."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope, Send

from bentos.http.problems import RequestProblem, refused

_METHODS = ("GET", "HEAD", "POST", "DELETE")
_SENT = (
    "Authorization",
    "Idempotency-Key",
    "X-Request-ID",
    "X-Request-Timeout-Ms",
    "traceparent",
    "tracestate",
)
_EXPOSED = (
    "X-Request-ID",
    "Retry-After",
    "Server-Timing",
    "traceparent",
    "Allow",
    "ETag",
    "Location",
    "Link",
    "RateLimit",
    "RateLimit-Policy",
)


class Cors:
    """CORS for one server; without origins it does nothing."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._enabled = bool(origins)
        self._rules = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_EXPOSED,
        )

    def sending(self, scope: Scope, send: Send) -> Send:
        """Wraps `send` to add CORS headers to every response, errors included."""
        if not self._enabled:
            return send
        return partial(self._rules.send, send=send, request_headers=Headers(scope=scope))

    def preflight(self, scope: Scope, request_id: str) -> Response | None:
        """Returns the response to a preflight request (Fetch, 4.8), or None for other requests."""
        headers = Headers(scope=scope)
        asks = "origin" in headers and "access-control-request-method" in headers
        if not self._enabled or scope["method"] != "OPTIONS" or not asks:
            return None
        answer = self._rules.preflight_response(headers)
        rules = {
            name: value
            for name, value in answer.headers.items()
            if name == "vary" or name.startswith("access-control-")
        }
        if answer.status_code == HTTPStatus.OK:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=rules)
        detail = (
            f"{bytes(answer.body).decode().lower()}; CHESTXRAY_CORS_ORIGINS lists the allowed sites"
        )
        problem = RequestProblem(HTTPStatus.FORBIDDEN, "cors-not-allowed", detail, headers=rules)
        return refused(problem, request_id)
