"""One process of the service: how it is started, seen to live, and ended."""

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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bentos.metric_labels import ProcessName
from bentos.process import heartbeat

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1


@dataclass
class Process:
    """A worker of BentoML's under a listening socket that outlives it.

    Who connects while it is started again waits in the socket's backlog, and is not refused.
    """

    name: ProcessName
    entry: str  # where the service lies that all of this machine's processes belong to
    service: str  # the name of its own BentoML service
    listener: socket.socket
    heartbeat: Path
    running: asyncio.subprocess.Process | None = None
    failures: int = 0
    """How often in a row it died before its first heartbeat."""
    alive: bool = False
    """Whether its heart has beaten since it was started."""
    last_sign: float = 0.0
    """When it was started, or its heart was last seen to beat, on the monotonic clock."""
    _beat: int = 0  # the file's time, in nanoseconds

    async def start(self, environment: Mapping[str, str]) -> None:
        """Starts it; it does not outlive this process, whatever happens to it."""
        self.heartbeat.unlink(missing_ok=True)
        self.alive, self.last_sign, self._beat = False, time.monotonic(), 0
        self.running = await asyncio.create_subprocess_exec(
            *self._command(),
            cwd=_ROOT,
            env={**environment, heartbeat.VARIABLE: str(self.heartbeat)},
            pass_fds=[self.listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the supervisor alone
            preexec_fn=partial(_die_with, os.getpid()),
        )

    def _command(self) -> list[str]:
        # What BentoML's own supervisor runs.
        worker = [sys.executable, "-m", "_bentoml_impl.worker.service", self.entry]
        named = ["--service-name", self.service, "--worker-id", "1", "--args", json.dumps({})]
        return [*worker, "--fd", str(self.listener.fileno()), *named]

    def silence(self) -> float:
        """Seconds since its last sign of life."""
        try:
            beat = self.heartbeat.stat().st_mtime_ns
        except FileNotFoundError:
            beat = self._beat
        if beat != self._beat:
            self.alive, self.last_sign, self._beat = True, time.monotonic(), beat
        return time.monotonic() - self.last_sign

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, if it runs."""
        if self.running is not None and self.running.returncode is None:
            self.running.send_signal(number)

    async def end(self, within: float) -> None:
        """Waits for its end, and kills it when that takes longer than so many seconds."""
        if self.running is None:
            return
        try:
            async with asyncio.timeout(within):
                await self.running.wait()
        except TimeoutError:
            logger.warning("%s did not end within %g s and is killed", self.name, within)
            self.signal(signal.SIGKILL)
            await self.running.wait()


def addresses_for_bentoml(addresses: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment by which BentoML's worker resolves `bentoml.depends`.

    `addresses` are those of all services by their BentoML names.
    """
    return {"BENTOML_RUNNER_MAP": json.dumps(addresses)}


def _die_with(parent: int) -> None:
    """Runs in the child before it is the worker: a supervisor that is killed leaves nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it was gone before we asked
