"""How a process shows that its event loop runs: it touches a file, every second.

A probe at the public port would fail where others take all connections, and the remedy for that is
not to kill the gateway.
"""

import asyncio
import os
from pathlib import Path

VARIABLE = "CHESTXRAY_HEARTBEAT"
"""Names the file; the supervisor sets it, no operator does."""
SECONDS = 1.0


async def beat() -> None:
    """Shows it as long as the loop runs; without a supervisor, nobody looks."""
    name = os.environ.get(VARIABLE)
    while name:
        Path(name).touch()
        await asyncio.sleep(SECONDS)
