"""The adapter to BentoML: how its workers are started, and what a service changes of their server.

BentoML's worker starts uvicorn and hands the server to nobody; it is found by its handler of
SIGTERM. Its app is replaced before the first connection is accepted, because BentoML's middleware
costs a tenth of the gateway and answers errors in formats of its own (docs/bentoml.md, traps 16,
17, 28 and 29).
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from bentos.http.connection_limits import ConnectionLimits
from bentos.http.connections import Connection
from bentos.http.drain import MARKER_VARIABLE, Drain
from bentos.logs.setup import configure, log_loop_errors
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings, get_settings

BENTOML_TIMEOUT_SECONDS = 2 * LONGEST_REQUEST_SECONDS
"""Above every deadline of ours, so that our own answer comes first (trap 17)."""

SERVICE_OPTIONS: dict[str, Any] = {
    "workers": 1,
    "traffic": {"timeout": BENTOML_TIMEOUT_SECONDS},
    "metrics": {"enabled": False},  # a label for every path (trap 18); bentos/metrics.py has ours
    "logging": {"access": {"enabled": False}},  # addresses and paths; the middleware logs requests
}
"""How every service is declared."""

_PRIVATE_KEEP_ALIVE_SECONDS = 300
"""Longer than a client's, or a connection would be closed just as it is used (trap 2)."""


def worker_command(entry: str, service: str, listener: int) -> list[str]:
    """Returns the command by which BentoML's own supervisor starts a worker.

    `entry` is BentoML's import string of the public service, `service` the name of the worker's,
    `listener` the file descriptor of a listening socket.
    """
    worker = [sys.executable, "-m", "_bentoml_impl.worker.service", entry, "--fd", str(listener)]
    return [*worker, "--service-name", service, "--worker-id", "1", "--args", json.dumps({})]


def addresses_for_bentoml(addresses: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment by which a worker resolves `bentoml.depends`.

    `addresses` are those of all services by their BentoML names.
    """
    return {"BENTOML_RUNNER_MAP": json.dumps(addresses)}


def serve_publicly(app: ASGIApp, drain: Drain, settings: Settings) -> None:
    """Answers everything at this process's port with `app`, within limits for connections.

    Signals drain before they stop. Called in a start-up hook; without a server it does nothing.
    """
    if server := _running_server():
        limits = ConnectionLimits(
            total=settings.max_connections,
            by_address=settings.max_connections_per_address,
            trusted=settings.trusted_proxies,
        )
        config = _loaded(server)
        config.http_protocol_class = partial(Connection, settings=settings, limits=limits)  # type: ignore[assignment]
        config.ws_protocol_class = None
        config.timeout_keep_alive = settings.keep_alive_timeout_seconds  # type: ignore[assignment]
        config.loaded_app = app
        _Signals(drain, server).install()


def serve_privately(app: Callable[[ASGIApp], ASGIApp]) -> None:
    """Wraps BentoML's app by `app`, for other processes of this service on a Unix socket."""
    if server := _running_server():
        config = _loaded(server)
        config.timeout_keep_alive = _PRIVATE_KEEP_ALIVE_SECONDS
        config.loaded_app = app(config.loaded_app)


def is_entry_service() -> bool:
    """Returns whether this process listens at the public port, not for another service."""
    import bentoml  # takes a second, which the supervisor has no need to spend

    return bool(bentoml.server_context.service_type == "entry_service")


def url_of(service: Any) -> str:
    """Returns the address of a BentoML service that this one depends on, as in `file:///path`."""
    if service.url is None:
        raise RuntimeError(f"{service.name} is not served; start with `bentoml serve`")
    return str(service.url)


def prepare_process(process: str) -> None:
    """Sets up the log and garbage collection, once everything is imported.

    Without a supervisor this is when `process` is known; with one, libraries may have added
    handlers of their own since the first time.
    """
    settings = get_settings()
    configure(settings.log_format, settings.log_level, process=process)
    log_loop_errors()
    gc.collect()
    gc.freeze()  # imported modules stay; to scan them all would stop every request for long


def _running_server() -> uvicorn.Server | None:
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def _loaded(server: uvicorn.Server) -> uvicorn.Config:
    if not server.config.loaded:
        server.config.load()
    return server.config


class _Signals:
    """Replaces the server's signal handlers.

    SIGTERM drains and then stops, SIGINT does so without waiting for proxies, a second of either
    stops at once. SIGUSR1 only drains, and leaves a file behind when that is done.
    """

    def __init__(self, drain: Drain, server: uvicorn.Server) -> None:
        self._drain, self._server = drain, server
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()  # keeps them from being collected

    def install(self) -> None:
        """Replaces them in the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, None)
        loop.add_signal_handler(signal.SIGINT, self._stop, 0.0)
        loop.add_signal_handler(signal.SIGUSR1, self._start, self._drain_and_mark)

    def _stop(self, delay: float | None) -> None:
        if self._stopping:
            self._server.force_exit = self._server.should_exit = True
        self._stopping = True
        self._start(partial(self._drain_and_exit, delay))

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain_and_exit(self, delay: float | None) -> None:
        await self._drain(delay=delay)
        self._server.should_exit = True

    async def _drain_and_mark(self) -> None:
        await self._drain()
        if marker := os.environ.get(MARKER_VARIABLE):
            Path(marker).touch()
