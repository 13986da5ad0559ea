"""A decoder process in which a file triggers the fault that it names."""

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
from chestxray.confinement import ProcessLimits
from chestxray.errors import ImageTooLarge
from chestxray.images import Picture
from chestxray.limits import Limits
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


def work(connection: Connection, limits: Limits, process_limits: ProcessLimits) -> None:
    """Works like the real worker, but a file triggers the fault that it names and is not read."""

    def read(data: bytes, **_: Any) -> Any:
        name, _, argument = data.partition(b" ")
        if name == b"say":
            connection.send_bytes(argument)
            time.sleep(60)
        FAULTS.get(name, int)()

    worker.read = worker.identify = read  # type: ignore[assignment]
    worker.crop_and_window = lambda _: Picture(Image.new("L", (300, 200), 7), INPUT)  # type: ignore[assignment]
    worker.work(connection, limits, process_limits)


def work_with_fault_files(
    connection: Connection, limits: Limits, process_limits: ProcessLimits
) -> None:
    """Works like the real worker, but a file that is the name of a fault triggers it."""
    read = worker.read

    def read_or_fail(data: bytes, **how: Any) -> Any:
        FAULTS.get(data, int)()
        return read(data, **how)

    worker.read = read_or_fail
    worker.work(connection, limits, process_limits)


def work_without_cost_checks(
    connection: Connection, limits: Limits, process_limits: ProcessLimits
) -> None:
    """Works like the real worker, without the checks of a file's cost."""
    costs.check = readers._check_size = lambda *_: None
    containers.check = lambda data, _: Structure(len(data), (1, 1), 0)
    worker.work(connection, limits, process_limits)


class Code:
    """Code that runs on unpickling."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (self._command,)


def file_answered_with_code(command: str) -> bytes:
    """A file whose decoder answers with pickled code that runs a command."""
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


FAULTS: dict[bytes, Callable[[], Any]] = {
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
