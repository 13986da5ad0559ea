"""A really running PostgreSQL on loopback, with a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from loadtests.load_generator import free_port
from tests.waiting import until

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""Where Debian installs what is not for users."""
_PATH = os.pathsep.join([*map(str, _FOLDERS), os.environ["PATH"]])
_UNPRIVILEGED = "postgres"
"""PostgreSQL refuses to run as root; Debian's package makes this user."""


def needed() -> pytest.MarkDecorator:
    """Skips a test where PostgreSQL is not installed."""
    missing = shutil.which("initdb", path=_PATH) is None
    return pytest.mark.skipif(missing, reason="needs Debian's package postgresql")


@dataclass
class Postgres:
    """A server with databases that are made on request."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None
    _made: int = 0

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"]
        options += ["-c", f"unix_socket_directories={self.folder}", "-c", "max_connections=60"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _command("postgres", "-D", str(self.folder / "data"), *options),
                stdout=log,
                stderr=log,
                user=_user(),
            )
        until(lambda: _run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)) == 0)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops it; SIGINT closes the connections of its clients."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def database(self) -> str:
        """Returns the address of a new, empty database."""
        self._made += 1
        name = f"test{self._made}"
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", _UNPRIVILEGED)
        assert _run("createdb", *where, name) == 0
        return f"postgresql://{_UNPRIVILEGED}@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Starts a server in a folder that its user can enter, unlike pytest's, and stops it by its
    pid."""
    with tempfile.TemporaryDirectory(prefix="chestxray-postgres-") as name:
        folder = Path(name)
        if user := _user():
            shutil.chown(folder, user)
        data = str(folder / "data")
        assert _run("initdb", "-D", data, "-U", _UNPRIVILEGED, "-A", "trust", "-N") == 0
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _user() -> str | None:
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _command(name: str, *arguments: str) -> Sequence[str]:
    found = shutil.which(name, path=_PATH)
    assert found
    return [found, *arguments]


def _run(name: str, *arguments: str) -> int:
    command = _command(name, *arguments)
    return subprocess.run(command, user=_user(), capture_output=True, cwd="/").returncode
