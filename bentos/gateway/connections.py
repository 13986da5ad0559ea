"""What a connection may do before there is a request: come, and send headers, both within bounds.

uvicorn waits for headers without end, so a few hundred bytes an hour would hold a connection for
good (slowloris). BentoML starts the server and hands it to nobody; it is found by its handler of
SIGTERM, and its protocol is replaced before the first connection comes.
"""

import asyncio
import signal
from http import HTTPStatus
from typing import Any

import uvicorn

from bentos.settings import Settings

_MAX_HEADER_BYTES = 64 * 1024


def running_server() -> uvicorn.Server | None:
    """The uvicorn server of this process, if one runs."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def guard(config: uvicorn.Config, settings: Settings) -> None:
    """Makes connections guarded that come from now on."""
    config.http_protocol_class = guarded(
        config.http_protocol_class,
        header_timeout=settings.header_timeout_seconds,
        max_connections=settings.max_connections,
    )


def guarded(protocol: type[Any], *, header_timeout: float, max_connections: int) -> type[Any]:
    """A protocol class of uvicorn's with limits on headers, in time and size, and a bound on
    connections.
    """

    class Guarded(protocol):  # type: ignore[misc]
        _timer: asyncio.TimerHandle | None = None  # while headers are waited for
        _header_bytes = 0

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
            elif self._timer is not None:
                self._header_bytes += len(data)
                if self._header_bytes > _MAX_HEADER_BYTES:
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _start_timer(self) -> None:
            self._header_bytes = 0
            self._timer = self.loop.call_later(header_timeout, self._time_out)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _time_out(self) -> None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

        def _refuse(self, status: HTTPStatus) -> None:
            self._stop_timer()
            line = f"HTTP/1.1 {status} {status.phrase}\r\n"
            self.transport.write(f"{line}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
            self.transport.close()

    return Guarded
