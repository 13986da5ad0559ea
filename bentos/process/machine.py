"""Checks of the machine before a process starts: open files and disk space."""

import os
import resource
from pathlib import Path

_OTHER_FILES = 256
"""Open files of the gateway other than client connections."""
_NEEDED_BYTES = 2**20
"""Disk space for a process's metrics files; it maps them, and would die of SIGBUS on a full
disk."""


def allow_connections(count: int) -> None:
    """Raises the limit on open files for `count` connections. Raises OSError if it cannot."""
    needed = count + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(
            f"CHESTXRAY_MAX_CONNECTIONS={count} needs {needed} open files, but the limit is "
            f"{hard}: lower it, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_disk_space(folder: Path) -> None:
    """Checks that a starting process could write its files there. Raises OSError."""
    path = folder / "space"
    try:
        file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(file, 0, _NEEDED_BYTES)
        finally:
            os.close(file)
            path.unlink()
    except OSError as error:
        raise OSError(f"cannot write to {folder}: {error.strerror}") from error
