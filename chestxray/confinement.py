"""What holds a process that reads strangers' files, whatever their bytes make a library do.

The kernel holds it: no code of the process has to run for a limit to work.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # prctl(2)


class Wall(NamedTuple):
    """What one file may take of the process that reads it."""

    seconds: float  # of processor time
    memory: int  # bytes that it may add


DEFAULT_WALL = Wall(seconds=2.0, memory=448 * 2**20)


def confine(*, memory: int) -> None:
    """Takes from this process for good what decoding does not need.

    It may add so many bytes to the address space that it has. It can open nothing, so all modules
    must be imported before; write no file; start no process, where it is not root's; leave no core;
    gain no privilege; and outlive its parent.
    """
    die_with_parent()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    limits = {
        resource.RLIMIT_AS: address_space() + memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Lets the kernel end the process by SIGPROF once it has worked for so long in here."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def die_with_parent() -> None:
    """Lets the kernel kill the process when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def address_space() -> int:
    """Bytes that the process has mapped, resident or not."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
