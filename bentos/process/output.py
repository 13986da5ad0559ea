"""What a process writes to its stdout and stderr beside its log, as lines of the log.

Native libraries and the interpreter write there: warnings of ONNX Runtime, the last words of a
process that crashes.
"""

import asyncio
import logging
import os

from bentos.logs.lines import SOURCE

logger = logging.getLogger("bentos.output")

_LONGEST_LINE = 2**16
"""As long as what a pipe holds; more without an end of line is a line, too."""


class Output:
    """A pipe that outlives the process, which is started again with the same."""

    def __init__(self, process: str) -> None:
        self._process, self.pid = process, 0
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._rest = b""
        self._closed = False

    def watch(self, pid: int) -> None:
        """Logs what the process of this ID writes from now on."""
        self.pid = pid
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def flush(self) -> None:
        """Logs what a process has written that is no more."""
        if not self._closed:
            self._read()
            self._log(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Logs what is left, and gives the pipe back."""
        if not self._closed:
            self.flush()
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)
            os.close(self.writer)
            self._closed = True

    def _read(self) -> None:
        try:
            self._rest += os.read(self._reader, _LONGEST_LINE)
        except BlockingIOError:
            return
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) >= _LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._log(line)

    def _log(self, line: bytes) -> None:
        if text := line.decode(errors="backslashreplace").strip():
            # The text is the kind of the line, so that only equal ones are sampled.
            logger.warning(text, extra={SOURCE: (self._process, self.pid)})
