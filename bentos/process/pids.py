"""The IDs of the running processes: the supervisor keeps each in a file of the run folder."""

from contextlib import suppress
from pathlib import Path

SUPERVISOR = "supervisor"
"""The process that starts the others."""
_SUFFIX = ".pid"


def file_of(folder: Path, process: str) -> Path:
    """Returns the file that holds the ID of a process while it runs."""
    return folder / f"{process}{_SUFFIX}"


def running(folder: Path) -> dict[str, int]:
    """Returns the IDs of the processes that run, by name."""
    found = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        with suppress(OSError, ValueError):  # it ended meanwhile, or is being written
            found[path.stem] = int(path.read_text())
    return found
