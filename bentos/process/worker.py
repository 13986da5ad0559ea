"""One worker process: start, heartbeat, signals and end."""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from bentos.http.bentoml_server import worker_command
from bentos.logs.setup import DESCRIPTOR, PROCESS
from bentos.metric_labels import ProcessName
from bentos.process import heartbeat
from bentos.process.output import Output

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1
_STDERR = 2


@dataclass
class Process:
    """A BentoML worker behind a listening socket that outlives it.

    While the worker restarts, connections wait in the socket's backlog instead of being refused.
    """

    name: ProcessName
    entry: str  # where the service lies that all of this machine's processes belong to
    service: str  # the name of its own BentoML service
    listener: socket.socket
    heartbeat: Path
    running: asyncio.subprocess.Process | None = None
    failures: int = 0
    """Consecutive exits before the first heartbeat."""
    alive: bool = False
    """Whether there has been a heartbeat since the start."""
    last_sign: float = 0.0
    """Monotonic time of the start or of the last heartbeat seen."""
    output: Output = field(init=False)
    _beat: int = 0  # modification time of the heartbeat file, in nanoseconds

    def __post_init__(self) -> None:
        self.output = Output(self.name)

    async def start(self, environment: Mapping[str, str]) -> int:
        """Starts the worker and returns its ID; the kernel kills it if this process dies."""
        self.heartbeat.unlink(missing_ok=True)
        self.alive, self.last_sign, self._beat = False, time.monotonic(), 0
        self.running = await asyncio.create_subprocess_exec(
            *worker_command(self.entry, self.service, self.listener.fileno()),
            cwd=_ROOT,
            env={
                **environment,
                heartbeat.VARIABLE: str(self.heartbeat),
                PROCESS: self.name,
                DESCRIPTOR: str(_log()),
            },
            stdout=self.output.writer,
            stderr=self.output.writer,
            pass_fds=[self.listener.fileno(), _log()],
            start_new_session=True,  # only the supervisor handles Ctrl-C
            preexec_fn=partial(_die_with, os.getpid()),
        )
        self.output.watch(self.running.pid)
        return self.running.pid

    def silence(self) -> float:
        """Seconds since the start or the last heartbeat."""
        try:
            beat = self.heartbeat.stat().st_mtime_ns
        except FileNotFoundError:
            beat = self._beat
        if beat != self._beat:
            self.alive, self.last_sign, self._beat = True, time.monotonic(), beat
        return time.monotonic() - self.last_sign

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal if the worker is running."""
        if self.running is not None and self.running.returncode is None:
            self.running.send_signal(number)

    async def end(self, within: float) -> None:
        """Waits for the worker to exit, and kills it after `within` seconds."""
        if self.running is None:
            return
        try:
            async with asyncio.timeout(within):
                await self.running.wait()
        except TimeoutError:
            logger.warning("%s did not exit within %g s; killing it", self.name, within)
            self.signal(signal.SIGKILL)
            await self.running.wait()
        self.output.close()


@cache
def _log() -> int:
    """Returns a second descriptor of this process's stderr, for the logs of the others."""
    return os.dup(_STDERR)


def _die_with(parent: int) -> None:
    """Runs in the child before exec: has the kernel kill it when the supervisor dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the supervisor died before prctl
