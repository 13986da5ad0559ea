"""How a process shows that its event loop runs: it touches a file, every second.

A probe at the public port would fail where others take all connections, and the remedy for that is
not to kill the gateway.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CHESTXRAY_HEARTBEAT"
"""Names the file; the supervisor sets it, no operator does."""
SECONDS = 1.0


async def beat(is_healthy: Callable[[], bool] = lambda: True) -> None:
    """Touches the file while the event loop runs and `is_healthy`, where there is a supervisor."""
    name = os.environ.get(VARIABLE)
    while name:
        if is_healthy():
            Path(name).touch()
        await asyncio.sleep(SECONDS)
