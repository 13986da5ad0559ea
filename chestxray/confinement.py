"""Kernel limits for a process that decodes untrusted files.

The kernel enforces every limit; none depends on code in the process itself.
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
    """Resource limits for decoding one file."""

    seconds: float  # of CPU time
    memory: int  # bytes of address space beyond the process's own


DEFAULT_WALL = Wall(seconds=2.0, memory=448 * 2**20)


def confine(*, memory: int) -> None:
    """Irrevocably drops what decoding does not need.

    Limits growth of the address space to `memory` bytes. Afterwards the process cannot open files
    (so all modules must be imported before), write to files, start processes (unless it runs as
    root), dump core, gain privileges or outlive its parent.
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
    """Has the kernel kill the process by SIGPROF after `seconds` of CPU time in this context."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def die_with_parent() -> None:
    """Has the kernel kill the process when the thread that started it exits."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def address_space() -> int:
    """Virtual memory size of the process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
