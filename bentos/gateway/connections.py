"""What a connection may do before there is a request: come, and send headers, both within bounds.

uvicorn waits for headers without end, so a few hundred bytes an hour would hold a connection for
good (slowloris). BentoML starts the server and hands it to nobody; it is found by its handler of
SIGTERM, and its protocol is replaced before the first connection comes.
"""

import asyncio
import signal
import uuid
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bentos.gateway.problems import ambiguous_length
from bentos.settings import Settings

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def running_server() -> uvicorn.Server | None:
    """The uvicorn server of this process, if one runs."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def guard(config: uvicorn.Config, settings: Settings) -> None:
    """Makes connections guarded that come from now on."""
    if not config.loaded:
        config.load()
    config.http_protocol_class = guarded(
        config.http_protocol_class,
        header_timeout=settings.header_timeout_seconds,
        max_connections=settings.max_connections,
    )


class OneLength:
    """Refuses a request whose body has two lengths, on every route, and ends its connection.

    A proxy in front may have taken the other one, and what is left for a request (RFC 9112, 6.1).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if "transfer-encoding" in headers and "content-length" in headers:
                app = ambiguous_length(uuid.uuid4().hex)
        await app(scope, receive, send)


def guarded(protocol: type[Any], *, header_timeout: float, max_connections: int) -> type[Any]:
    """A protocol class of uvicorn's with a time limit on headers and a bound on connections."""

    class Guarded(protocol):  # type: ignore[misc]
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                transport.abort()
                return
            self._start_timer()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            if self._timer is None and (before is None or before.response_complete):
                self._start_timer()
            super().data_received(data)
            if self.cycle is not before:  # the headers are complete
                self._stop_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _start_timer(self) -> None:
            self._timer = self.loop.call_later(header_timeout, self._time_out)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _time_out(self) -> None:
            self._timer = None
            self.transport.write(_TIMED_OUT)
            self.transport.close()

    return Guarded
