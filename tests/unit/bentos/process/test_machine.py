"""Missing disk space or open files end a start with one line; a restart waits for disk space."""

import asyncio
import logging
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from bentos.process import machine, supervisor
from bentos.process.sockets import GATEWAY
from bentos.process.supervisor import Supervisor
from bentos.process.worker import Process
from bentos.settings import Settings
from tests.conftest import ROOT


def set_limit(limit: int, *values: int) -> None:
    resource.setrlimit(limit, values)


def start(folder: Path, limit: int, *values: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bentos.cli", "serve", "--port", "3468"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder), "BENTOML_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=partial(set_limit, limit, *values),
    )


@pytest.fixture
def short_path() -> Iterator[Path]:
    """The path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_full_disk_ends_the_start_with_one_error_line(short_path: Path) -> None:
    done = start(short_path, resource.RLIMIT_FSIZE, 4096, 4096)

    assert done.returncode == 2
    assert f" chestxray cannot start: cannot write to {short_path}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_open_file_limit_too_low_ends_the_start_with_one_error_line(tmp_path: Path) -> None:
    done = start(tmp_path, resource.RLIMIT_NOFILE, 1000, 1000)

    assert done.returncode == 2
    assert "CHESTXRAY_MAX_CONNECTIONS=2048 needs 2304 open files" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_open_file_limit_is_raised_to_the_hard_limit() -> None:
    code = (
        "import resource\n"
        "from bentos.process import machine\n"
        "machine.allow_connections(1000)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1000)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=partial(set_limit, resource.RLIMIT_NOFILE, 256, 4096),
    )

    assert done.stdout == "True\n"


def test_disk_space_check_leaves_no_file(tmp_path: Path) -> None:
    machine.check_disk_space(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_process_start_waits_for_disk_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "_DISK_POLL_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "run_folder", lambda port: tmp_path / "run")
    parent = Supervisor(GATEWAY, host="127.0.0.1", port=1, settings=Settings())
    process = Process("gateway", "", "", None, tmp_path / "heartbeat")  # type: ignore[arg-type]

    async def main() -> None:
        waiting = asyncio.create_task(parent.wait_for_disk_space(process))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        (tmp_path / "run").mkdir()
        await asyncio.wait_for(waiting, 5)

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert len(caplog.records) == 1  # not one every second
    assert "gateway starts when there is disk space" in caplog.text


def test_full_disk_at_the_start_of_a_process_does_not_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ID is for its metrics alone."""

    class Started(Process):
        async def start(self, environment: Mapping[str, str]) -> int:
            return 1

    monkeypatch.setattr(supervisor, "run_folder", lambda port: tmp_path / "absent")
    parent = Supervisor(GATEWAY, host="127.0.0.1", port=1, settings=Settings())
    parent._environment = {}
    process = Started("gateway", "", "", None, tmp_path / "heartbeat")  # type: ignore[arg-type]

    asyncio.run(parent._start(process))

    assert "the ID of gateway cannot be written" in caplog.text
