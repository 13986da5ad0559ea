"""Liveness and readiness probes, for orchestrators and load balancers."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from bentos.http.problems import RequestProblem

READY = "/readyz"
PATHS = ("/livez", READY, "/healthz")
"""Not counted or logged, and answered even when other requests are rejected."""

_ALLOWED = ("GET", "HEAD")


class Probes:
    """Answers the probes."""

    def __init__(self, is_ready: Callable[[], Awaitable[bool]]) -> None:
        self._is_ready = is_ready
        self._asking: asyncio.Task[bool] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _ALLOWED:
            allowed = ", ".join(_ALLOWED)
            raise RequestProblem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method-not-allowed",
                f"a probe supports {allowed}",
                headers={"Allow": allowed},
            )
        if scope["path"] == READY and not await self._ready():
            raise not_ready()
        await PlainTextResponse("ok\n")(scope, receive, send)

    async def _ready(self) -> bool:
        """Checks readiness once for concurrent probes."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._is_ready())
        return await asyncio.shield(self._asking)


def not_ready() -> RequestProblem:
    """The answer of a service that should get no requests now."""
    return RequestProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not-ready",
        "a model is not loaded or does not answer, or the service is shutting down",
        headers={"Retry-After": "1"},
    )
