"""Heartbeat of a process: while its event loop runs, it touches a file every second.

A file, not an HTTP probe: connection exhaustion must not get a healthy gateway killed.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CHESTXRAY_HEARTBEAT"
"""Environment variable with the file's path; set by the supervisor, not by operators."""
SECONDS = 1.0


def folder() -> Path | None:
    """Returns the run folder of this process's supervisor; None without one."""
    name = os.environ.get(VARIABLE)
    return Path(name).parent if name else None


async def beat(is_healthy: Callable[[], bool] = lambda: True) -> None:
    """Touches the file while `is_healthy`; returns at once without a supervisor."""
    name = os.environ.get(VARIABLE)
    while name:
        if is_healthy():
            Path(name).touch()
        await asyncio.sleep(SECONDS)
