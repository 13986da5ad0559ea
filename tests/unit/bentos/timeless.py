"""An event loop that never sleeps: its clock jumps to the next timer."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class JumpingClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            next_timer = self._scheduled[0].when()  # type: ignore[attr-defined]
            self.ahead += max(0.0, next_timer - self.time())
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingClockLoop) as runner:
        return runner.run(main)


async def seconds_of(work: Awaitable[object]) -> float:
    """The duration of some work by the loop's own clock."""
    started = asyncio.get_running_loop().time()
    await work
    return asyncio.get_running_loop().time() - started
