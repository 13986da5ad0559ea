"""Appends lines to a file that other processes append to as well, and that may be moved."""

import os
from contextlib import suppress
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_MODE = 0o640
_CLOSED = -1


class AppendOnlyFile:
    """A file that is opened at the first line, and anew when its path names another or none."""

    def __init__(self, path: Path) -> None:
        self._path, self._descriptor = path, _CLOSED

    def append(self, line: str) -> None:
        """Writes a line by one call, so that those of several processes never mix. Raises OSError.

        The line is not forced to the disk: it survives this process, not the machine.
        """
        self._open()
        data = line.encode() + b"\n"
        if os.write(self._descriptor, data) < len(data):  # the disk is full: the next line begins
            with suppress(OSError):  # where this one was cut
                os.write(self._descriptor, b"\n")
            raise OSError("the line was cut")

    def close(self) -> None:
        """Closes the file, which the next line opens again."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
            self._descriptor = _CLOSED

    def _open(self) -> None:
        if self._descriptor != _CLOSED and not self._is_moved():
            return
        self.close()
        self._descriptor = os.open(self._path, _FLAGS, _MODE)

    def _is_moved(self) -> bool:
        """Whether a rotation has moved or deleted the file; logrotate needs no signal by this."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(found, os.fstat(self._descriptor))
