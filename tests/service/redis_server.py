"""A really running Redis on loopback."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest

from bentos.callers import quota_store
from loadtests.load_generator import free_port
from tests.waiting import until


def needed() -> pytest.MarkDecorator:
    """Skips a test where Redis is not installed."""
    missing = shutil.which("redis-server") is None
    return pytest.mark.skipif(missing, reason="needs Debian's package redis-server")


@dataclass
class RedisServer:
    """A server that keeps nothing on the disk."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *options], stdout=log, stderr=log, cwd=self.folder
            )
        until(self._answers)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Lets it accept connections, and answer nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def patience() -> AbstractContextManager[float]:
    """Has the gateways of this process wait for a Redis that a loaded machine runs late."""
    return patch.object(quota_store, "_TIMEOUT_SECONDS", 5.0)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Starts a server, for which gateways of this process wait, and stops it by its pid."""
    server = RedisServer(folder)
    server.start()
    try:
        with patience():
            yield server
    finally:
        server.stop()
