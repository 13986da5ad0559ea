"""What the machine must give before a process is worth starting: open files, room for its files."""

import os
import resource
from pathlib import Path

_FILES_BESIDE = 256
"""Open files of the gateway that are no caller's connection."""
_ROOM_BYTES = 2**20
"""What a process writes as it starts: its metrics, which it maps and dies of where none is left."""


def allow_connections(count: int) -> None:
    """Lets this process's children open so many connections. Raises OSError."""
    needed = count + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(
            f"CHESTXRAY_MAX_CONNECTIONS={count} needs {needed} open files, and the machine allows "
            f"{hard}: lower it, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_room(folder: Path) -> None:
    """Tries whether a process that starts could write there. Raises OSError."""
    path = folder / "room"
    try:
        file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(file, 0, _ROOM_BYTES)
        finally:
            os.close(file)
            path.unlink()
    except OSError as error:
        raise OSError(f"nothing can be written to {folder}: {error.strerror}") from error
