"""Sends everything that a process says into one log: libraries, warnings, uncaught exceptions.

The processes of a supervisor write to its stderr through a descriptor of their own, because their
stdout and stderr are pipes to it: what is written there is no line of the log yet.
"""

import asyncio
import logging
import os
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from bentos.logs.lines import FORMATS, Format, Level
from bentos.logs.sampling import SampledHandler

PROCESS = "CHESTXRAY_PROCESS"
"""Environment variable with the process's name; set by the supervisor, not by operators."""
DESCRIPTOR = "CHESTXRAY_LOG_DESCRIPTOR"
"""The same for the file descriptor of the log."""
_OURS = ("bentos", "chestxray")
_uncaught = logging.getLogger("bentos.uncaught")


def configure(form: Format, level: Level, *, process: str) -> None:
    """Sets up the log of this process, again if it is called again.

    A library's lines appear from a warning on, or from where the library itself decides: below that
    they may have anything in them.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = SampledHandler(_stream())
    handler.setFormatter(FORMATS[form](os.environ.get(PROCESS, process)))
    root = logging.getLogger()
    for each in (root, *_loggers()):
        for old in each.handlers[:]:
            each.removeHandler(old)
            old.close()
        each.propagate = True
        if each.level:
            each.setLevel(max(each.level, number))
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, number))
    for name in _OURS:
        logging.getLogger(name).setLevel(number)
    logging.raiseExceptions = False  # its own reports of bad calls are no lines of the log
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread


def log_loop_errors() -> None:
    """Sends the errors of the running event loop into the log.

    Its own way shows sockets and transports, with the addresses of callers.
    """
    asyncio.get_running_loop().set_exception_handler(_log_loop_error)


def _stream() -> TextIO:
    descriptor = os.environ.get(DESCRIPTOR)
    if descriptor is None:
        return sys.stderr
    with suppress(OSError, ValueError):  # a child of the process may not have it
        return open(int(descriptor), "w", encoding="utf-8", closefd=False)
    return sys.stderr


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [each for each in known if isinstance(each, logging.Logger)]


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _uncaught.warning("interrupted")
    else:
        _uncaught.critical("the process ends", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None:
        error = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        _uncaught.error("a thread ends", exc_info=error)


def _log_unraisable(arguments: "sys.UnraisableHookArgs") -> None:
    if arguments.exc_value is not None:
        error = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        _uncaught.error("an error was ignored", exc_info=error)


def _log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    # The message would show the arguments of a callback, which may be bytes of a request.
    message = "a callback or task failed" if error else context["message"]
    logging.getLogger("asyncio").error("%s", message, exc_info=error)
