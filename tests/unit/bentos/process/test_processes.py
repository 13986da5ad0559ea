"""A supervisor watches the heartbeats of its processes, which do not outlive it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bentos.process import heartbeat
from bentos.process.sockets import (
    CLASSIFIER_POD,
    EVERY_ADDRESS,
    FOLDER_MODE,
    GATEWAY,
    Layout,
    open_listeners,
)
from bentos.process.worker import Process
from tests.addresses import needs_ipv6
from tests.waiting import until, until_async


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with socket.socket() as listener:
        yield Process("gateway", GATEWAY.entry, "Gateway", listener, tmp_path / "heartbeat")


def test_process_is_alive_after_its_first_heartbeat(process: Process) -> None:
    process.last_sign = time.monotonic() - 100

    assert process.silence() > 99
    assert not process.alive
    process.heartbeat.touch()
    assert process.silence() < 1
    assert process.alive


def test_silence_grows_without_a_heartbeat(process: Process) -> None:
    process.heartbeat.touch()
    process.silence()
    process.last_sign -= 50

    assert process.silence() > 49


def test_heartbeat_file_is_touched_repeatedly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(heartbeat.VARIABLE, str(tmp_path / "heartbeat"))
    monkeypatch.setattr(heartbeat, "SECONDS", 0.01)

    async def main() -> None:
        beating = asyncio.create_task(heartbeat.beat())
        times: set[int] = set()

        def beats() -> int:
            with suppress(FileNotFoundError):
                times.add((tmp_path / "heartbeat").stat().st_mtime_ns)
            return len(times)

        await until_async(lambda: beats() > 5)
        beating.cancel()

    asyncio.run(main())


def test_heartbeat_task_ends_at_once_without_a_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(heartbeat.VARIABLE, raising=False)

    asyncio.run(asyncio.wait_for(heartbeat.beat(), 1))


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "from functools import partial\n"
        "from bentos.process.worker import _die_with\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=partial(_die_with, os.getpid()))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    until(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.parametrize("layout", [GATEWAY, CLASSIFIER_POD], ids=lambda layout: layout.name)
def test_run_folder_of_a_killed_service_is_reused(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(0o777)
    (folder / "xray_filter.sock").touch()

    listeners = open_listeners(layout, folder, "127.0.0.1", 0)

    assert folder.stat().st_mode & 0o777 == FOLDER_MODE
    assert [each.name for each in listeners.processes] == [*layout.models, layout.name]
    for each in listeners.processes:
        each.listener.close()


def test_run_folder_of_another_user_is_rejected(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    try:
        os.chown(folder, 12345, 12345)
    except PermissionError:
        pytest.skip("needs root to make another user's folder")

    with pytest.raises(PermissionError, match="belongs to another user"):
        open_listeners(GATEWAY, folder, "127.0.0.1", 0)


def serve_once(listener: socket.socket) -> None:
    with listener.accept()[0] as connection:
        connection.sendall(str(connection.getpeername()[0]).encode())


def connect(address: str, listener: socket.socket) -> str:
    """Connects to the listener at an address; returns what the server takes the client for."""
    with socket.create_connection((address, listener.getsockname()[1]), timeout=5) as client:
        serve_once(listener)
        return client.recv(64).decode()


@pytest.fixture
def everywhere(tmp_path: Path) -> Iterator[socket.socket]:
    """The public listener of a classifier pod at every address."""
    (pod,) = open_listeners(CLASSIFIER_POD, tmp_path / "run", EVERY_ADDRESS, 0).processes
    with pod.listener:
        yield pod.listener


@needs_ipv6
def test_listener_at_every_address_accepts_both_families(everywhere: socket.socket) -> None:
    assert connect("::1", everywhere) == "::1"
    assert connect("127.0.0.1", everywhere) == "::ffff:127.0.0.1"


@needs_ipv6
def test_listener_at_one_ipv6_address_accepts_that_family_alone(tmp_path: Path) -> None:
    (pod,) = open_listeners(CLASSIFIER_POD, tmp_path / "run", "::1", 0).processes
    with pod.listener:
        assert connect("::1", pod.listener) == "::1"
        with pytest.raises(ConnectionRefusedError):
            connect("127.0.0.1", pod.listener)


def test_every_address_is_that_of_ipv4_on_a_kernel_without_ipv6(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    (pod,) = open_listeners(CLASSIFIER_POD, tmp_path / "run", EVERY_ADDRESS, 0).processes

    with pod.listener:
        assert connect("127.0.0.1", pod.listener) == "127.0.0.1"
