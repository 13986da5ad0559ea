"""A server on loopback that speaks S3: moto's, in an environment of its own (see the Makefile)."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from loadtests.load_generator import free_port
from tests.waiting import until

_EXECUTABLE = Path(sys.executable).parent.parent / "s3" / "bin" / "moto_server"


def needed() -> pytest.MarkDecorator:
    """Skips a test where the server is not installed."""
    return pytest.mark.skipif(not _EXECUTABLE.exists(), reason="needs moto_server, by make test")


@dataclass
class ObjectStore:
    """A server; its buckets are in its memory."""

    log: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client of it has in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_EXECUTABLE, "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log
            )
        until(self._answers)

    def stop(self) -> None:
        """Stops it; its buckets are gone."""
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def bucket(self, name: str) -> str:
        """Makes a bucket, and returns its address."""
        httpx.put(f"{self.url}/{name}").raise_for_status()
        return f"s3://{name}"

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/", timeout=5).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Starts a server, and stops it by its pid."""
    server = ObjectStore(folder / "s3.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()
