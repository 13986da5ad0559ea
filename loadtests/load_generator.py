"""Measures a server from outside: its clients' latency, and its processes' CPU time and memory."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import aiohttp
import numpy as np
import psutil

CONNECTION_LOST = 0
"""Pseudo-status: the connection broke before a response."""
_PAUSE_SECONDS = 0.05
_TIMEOUT = aiohttp.ClientTimeout(total=120)


class ServerNotStarted(Exception):
    """A server exited, or was not ready in time."""


class RequestsFailed(Exception):
    """Some requests failed, so the measurement is not valid."""


@dataclass(frozen=True)
class Request:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes
    images: int = 1


@dataclass(frozen=True)
class LoadResult:
    """Result of one period of load."""

    seconds: float
    images: int  # in 200 responses
    latencies: tuple[float, ...]  # of 200 responses, in seconds, in order of completion
    failures: dict[int, int]  # number of responses by any other status
    cpu_seconds: float  # of all processes of the server

    def require_success(self) -> Self:
        """Returns itself if every request succeeded. Raises RequestsFailed."""
        if self.failures or not self.images:
            raise RequestsFailed(
                f"failed requests by status: {self.failures}; {self.images} images succeeded"
            )
        return self

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    @property
    def cost(self) -> float:
        """CPU-seconds per image."""
        return self.cpu_seconds / max(1, self.images)

    def percentile(self, percent: float) -> float:
        """Latency percentile in seconds; NaN without a 200 response."""
        return float(np.percentile(self.latencies, percent)) if self.latencies else float("nan")


class ServerProcess:
    """A running server and its process tree."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._root = psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU time so far of the processes that are running now."""
        return sum(_used(process) for process in self.processes())

    def megabytes(self) -> float:
        """Memory of all processes (PSS), in MiB."""
        return sum(_share(process) for process in self.processes()) / 2**20

    async def wait_until_ready(self, request: Request, *, seconds: float = 120.0) -> float:
        """Waits for the first 200; returns the seconds that it took. Raises ServerNotStarted."""
        begun = time.perf_counter()
        async with aiohttp.ClientSession(self.url, timeout=_TIMEOUT) as session:
            while await _post(session, request) != 200:
                ended = self._root.status() == psutil.STATUS_ZOMBIE
                if ended or time.perf_counter() > begun + seconds:
                    raise ServerNotStarted(f"{self.url} did not answer 200")
                await asyncio.sleep(_PAUSE_SECONDS)
        return time.perf_counter() - begun

    async def load(
        self,
        requests: Sequence[Request],
        *,
        clients: int,
        seconds: float = float("inf"),
        count: float = float("inf"),
    ) -> LoadResult:
        """Runs a closed loop with `clients` clients, for `seconds` or `count` requests."""
        latencies: list[float] = []
        failures: Counter[int] = Counter()
        begun, sent, images = time.perf_counter(), 0, 0
        used = self.cpu_seconds()
        async with aiohttp.ClientSession(self.url, timeout=_TIMEOUT) as session:

            async def client() -> None:
                nonlocal sent, images
                while sent < count and time.perf_counter() < begun + seconds:
                    request = requests[sent % len(requests)]
                    sent += 1
                    started = time.perf_counter()
                    status = await _post(session, request)
                    if status == 200:
                        latencies.append(time.perf_counter() - started)
                        images += request.images
                    else:
                        failures[status] += 1
                        await asyncio.sleep(_PAUSE_SECONDS)

            await asyncio.gather(*(client() for _ in range(clients)))
        spent = self.cpu_seconds() - used
        seconds_ = time.perf_counter() - begun
        return LoadResult(seconds_, images, tuple(latencies), dict(failures), spent)


def free_port() -> int:
    """Returns a local port that is free, as are the two above it."""
    while True:
        with ExitStack() as stack:
            one, *others = [stack.enter_context(socket.socket()) for _ in range(3)]
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                for above, other in enumerate(others, 1):
                    other.bind(("127.0.0.1", port + above))
            except OSError:
                continue
            return port


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _share(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


async def _post(session: aiohttp.ClientSession, request: Request) -> int:
    try:
        async with session.post(request.path, data=request.body, headers=request.headers) as answer:
            await answer.read()
            return answer.status
    except aiohttp.ClientError:
        return CONNECTION_LOST
