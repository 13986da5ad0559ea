"""One process of the service: how it is started, asked whether it lives, and ended."""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from yarl import URL

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[1]
_PROBE, _PROBE_SECONDS = "/livez", 2.0
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_PR_SET_PDEATHSIG = 1


@dataclass
class Process:
    """A worker of BentoML's under a listening socket that outlives it.

    Who connects while it is started again waits in the socket's backlog, and is not refused.
    """

    name: str
    service: str  # the name of its BentoML service
    listener: socket.socket
    arguments: tuple[str, ...] = ()
    running: asyncio.subprocess.Process | None = None
    failures: int = 0
    """How often in a row it died before it answered a probe."""
    answered: bool = False
    """Whether it has answered a probe since it was started."""
    last_sign: float = field(default_factory=time.monotonic)
    """When it was started or last answered a probe, on the monotonic clock."""

    async def start(self, environment: Mapping[str, str]) -> None:
        """Starts it; it does not outlive this process, whatever happens to it."""
        self.answered, self.last_sign = False, time.monotonic()
        self.running = await asyncio.create_subprocess_exec(
            *self._command(),
            cwd=_ROOT,
            env=environment,
            pass_fds=[self.listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the supervisor alone
            preexec_fn=partial(_die_with, os.getpid()),
        )

    def _command(self) -> list[str]:
        # What BentoML's own supervisor runs.
        worker = [sys.executable, "-m", "_bentoml_impl.worker.service", "service:Gateway"]
        descriptor = str(self.listener.fileno())
        named = ["--service-name", self.service, "--worker-id", "1", "--args", json.dumps({})]
        return [*worker, "--fd", descriptor, *named, *self.arguments]

    async def check(self) -> bool:
        """Asks whether it lives, and remembers when it said so."""
        try:
            timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
            async with (
                aiohttp.ClientSession(connector=self._connector(), timeout=timeout) as session,
                session.get(self._url()) as answer,
            ):
                alive = answer.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False
        if alive:
            self.answered, self.last_sign = True, time.monotonic()
        return alive

    def _connector(self) -> aiohttp.BaseConnector:
        if self.listener.family == socket.AF_UNIX:
            return aiohttp.UnixConnector(self.listener.getsockname())
        return aiohttp.TCPConnector()

    def _url(self) -> str:
        if self.listener.family == socket.AF_UNIX:
            return f"http://localhost{_PROBE}"
        host, port = self.listener.getsockname()[:2]
        return str(URL.build(scheme="http", host=_LOCAL.get(host, host), port=port, path=_PROBE))

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, if it runs."""
        if self.running is not None and self.running.returncode is None:
            self.running.send_signal(number)

    async def stop(self, seconds: float) -> None:
        """Asks it to end, and kills it when that takes longer."""
        if self.running is None:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self.running.wait()
        except TimeoutError:
            logger.warning("%s did not end within %g s and is killed", self.name, seconds)
            self.signal(signal.SIGKILL)
            await self.running.wait()


def _die_with(parent: int) -> None:
    """Runs in the child before it is the worker: a supervisor that is killed leaves nothing."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it was gone before we asked
