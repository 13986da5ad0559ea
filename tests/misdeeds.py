"""A decoder's process in which reading a file does what the file says."""

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from PIL import Image

from bentos.decoding import worker
from chestxray import containers, costs, readers
from chestxray.confinement import Wall
from chestxray.errors import ImageTooLarge
from chestxray.images import Limits, Picture
from chestxray.results import Input
from chestxray.segments import Structure

INPUT = Input(
    format="PNG",
    media_type="image/png",
    width=300,
    height=200,
    bits=8,
    colour=False,
    film=None,
    mislabelled=False,
)


def work(connection: Connection, limits: Limits, wall: Wall) -> None:
    """Works as the real one, but for the library that reads files."""

    def read(data: bytes, **_: Any) -> None:
        name, _, argument = data.partition(b" ")
        if name == b"say":
            connection.send_bytes(argument)
            time.sleep(60)
        DEEDS.get(name, int)()

    worker.read = read  # type: ignore[assignment]
    worker.develop = lambda _: Picture(Image.new("L", (300, 200), 7), INPUT)  # type: ignore[assignment]
    worker.work(connection, limits, wall)


def work_as_told(connection: Connection, limits: Limits, wall: Wall) -> None:
    """Works as the real one, but for files that are the name of a deed."""
    read = worker.read

    def obey(data: bytes, **how: Any) -> Any:
        DEEDS.get(data, int)()
        return read(data, **how)

    worker.read = obey
    worker.work(connection, limits, wall)


def work_without_bounds(connection: Connection, limits: Limits, wall: Wall) -> None:
    """Works as the real one, as if nothing of a file's cost had been foreseen."""
    costs.check = readers._check_size = lambda *_: None
    containers.check = lambda data, _: Structure(len(data), (1, 1), 0)
    worker.work(connection, limits, wall)


class Code:
    """Code that runs on unpickling."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (self._command,)


def taking_over(command: str) -> bytes:
    """A file whose decoder answers with code."""
    return b"say " + pickle.dumps(Code(command))


def _spin() -> None:
    while True:
        pass


def _hoard() -> None:
    kept = []
    while True:
        kept.append(bytearray(2**20))


def _fail(error: Exception) -> None:
    raise error


DEEDS: dict[bytes, Callable[[], Any]] = {
    b"spin": _spin,
    b"hoard": _hoard,
    b"crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"leave": lambda: os._exit(0),
    b"stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    b"open": lambda: os.open(os.devnull, os.O_RDONLY),
    b"spawn": lambda: subprocess.run(["true"], check=True),
    b"shout": lambda: os.write(2, b"a patient's name\n"),
    b"large": partial(_fail, ImageTooLarge("it is too large", limit=5)),
    b"fault": partial(_fail, KeyError("a patient's name")),
}
