"""A real service on a free port, with its own home and log."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from loadtests.load_generator import free_port
from tests.conftest import ROOT

Figure = TypeVar("Figure")

START_SECONDS = 180.0
SERVE = ("bentos.cli", "serve")
"""The command that `chestxray serve` runs."""


@dataclass(frozen=True)
class Server:
    """A running server with its log and process."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name and labels, as Prometheus writes them."""
        text = httpx.get(f"{self.url}/metrics").text
        lines = re.findall(r"^([^#\s]\S*(?: [^\s]+\})?) (\S+)$", text, re.M)
        return {name: float(value) for name, value in lines}

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples over the labels that are not named."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.partition("{")[0] == name and all(label in sample for label in wanted)
        )

    def memory(self) -> int:
        """Bytes of memory of all its processes, each counted by its own share."""
        return sum(while_running(_memory, process, ended=0) for process in self.processes())

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def worker(self, service: str) -> psutil.Process:
        """The process of one model service."""
        return next(
            process
            for process in self.processes()
            if {service, "_bentoml_impl.worker.service"} <= set(command_of(process))
        )


def while_running(read: Callable[..., Figure], *arguments: object, ended: Figure) -> Figure:
    """What is read of a process, or `ended` where it has ended since it was listed."""
    try:
        return read(*arguments)
    except psutil.NoSuchProcess:  # psutil's ZombieProcess is one
        return ended


def command_of(process: psutil.Process) -> list[str]:
    """The command line of a process; empty once it has ended."""
    return while_running(process.cmdline, ended=[])


def _memory(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


@contextmanager
def serve(
    folder: Path,
    *,
    command: Sequence[str] = SERVE,
    cwd: Path = ROOT,
    host: str = "127.0.0.1",
    port: int = 0,
    **environment: str,
) -> Iterator[Server]:
    """Starts a server, waits until it is ready, and stops it by its pid; port 0 is a free one."""
    server = start(folder, port or free_port(), command=command, cwd=cwd, host=host, **environment)
    process = server.process
    try:
        wait_until_ready(server)
        yield server
    finally:
        processes = server.processes() if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        process.wait(30)
        for left in psutil.wait_procs(processes, timeout=10)[1]:
            left.kill()


def start(
    folder: Path,
    port: int,
    *,
    command: Sequence[str] = SERVE,
    cwd: Path = ROOT,
    host: str = "127.0.0.1",
    **environment: str,
) -> Server:
    """Starts a server without waiting until it is ready."""
    home, log = folder / "home", folder / "server.log"
    home.mkdir(exist_ok=True)
    settings = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--host", host, "--port", str(port)],
            cwd=cwd,
            env=os.environ | settings | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Server(f"http://127.0.0.1:{port}", log, process)


def wait_until_ready(server: Server) -> None:
    """Returns once the service is ready. Raises RuntimeError with its log."""
    stop = time.monotonic() + START_SECONDS
    while time.monotonic() < stop and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the server did not get ready:\n{server.log.read_text()[-4000:]}")
