"""Kernel limits for a process that decodes untrusted files.

The kernel enforces every limit; none depends on code in the process itself.
"""

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # prctl(2)
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # landlock(7); the same numbers on every architecture
_GET_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Number of file system rights from a version of Landlock's interface on."""
_NETWORK_VERSION, _SCOPE_VERSION = 4, 6
"""From these versions on it denies TCP, and signals and abstract sockets beyond the process."""


class ProcessLimits(NamedTuple):
    """Resource limits for decoding one file."""

    seconds: float  # of CPU time
    memory: int  # bytes of address space beyond the process's own


DEFAULT_PROCESS_LIMITS = ProcessLimits(seconds=2.0, memory=448 * 2**20)


def confine(*, memory: int) -> None:
    """Irrevocably drops what decoding does not need.

    Limits growth of the address space to `memory` bytes. Afterwards the process cannot open files
    (so all modules must be imported before), write to files, start processes (unless it runs as
    root), dump core, gain privileges or outlive its parent. Where the kernel has Landlock, it
    cannot remove or rename files or use TCP either, nor signal other processes.
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
    _deny_all()  # needs a file descriptor, so before the limits
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def landlock_version() -> int:
    """Version of the kernel's Landlock interface; 0 without Landlock."""
    return max(0, _syscall(_CREATE_RULESET, None, 0, _GET_VERSION))


def _deny_all() -> None:
    """Denies the thread all that this kernel's Landlock knows: a ruleset without any rule.

    Raises OSError.
    """
    version = landlock_version()
    if not version:
        return
    files = max(bits for first, bits in _FILE_RIGHTS.items() if first <= version)
    rights = [(1 << files) - 1]
    if version >= _NETWORK_VERSION:
        rights.append(0b11)  # bind, connect
    if version >= _SCOPE_VERSION:
        rights.append(0b11)  # abstract Unix sockets, signals
    attributes = struct.pack(f"{len(rights)}Q", *rights)
    ruleset = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0 or _syscall(_RESTRICT_SELF, ruleset, 0) < 0:
        raise OSError("Landlock refuses to confine the process")
    os.close(ruleset)


def _syscall(number: int, *arguments: Any) -> int:
    if sys.platform != "linux":
        return -1
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    words = (ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    return int(call(ctypes.c_long(number), *words))


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
