"""What the service keeps for the caller, for both clients."""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from chestxray.client import kept_calls
from chestxray.client.calls import Call, Result
from chestxray.client.results import Analysis, KeptAnalysis


class Calling(Protocol):
    """Makes a call and returns its result."""

    def __call__(self, call: Call[Result], timeout: float | None, /) -> Result: ...


class AsyncCalling(Protocol):
    """The same as a coroutine."""

    async def __call__(self, call: Call[Result], timeout: float | None, /) -> Result: ...


class Kept:
    """Analyses that were kept by `keep=True`; every method raises ChestXrayError."""

    def __init__(self, call: Calling) -> None:
        self._call = call

    def list(self, *, timeout: float | None = None) -> Iterator[KeptAnalysis]:
        """Yields all, newest first; `timeout` is for each page, which is asked for when needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._call(kept_calls.page(cursor), timeout)
            cursor = page.cursor
            yield from page.analyses

    def get(self, identifier: str, *, timeout: float | None = None) -> Analysis:
        """Returns one of them."""
        return self._call(kept_calls.analysis(identifier), timeout)

    def image(self, identifier: str, *, timeout: float | None = None) -> bytes:
        """Returns the film of one, as a PNG file."""
        return self._call(kept_calls.picture(identifier, "image"), timeout)

    def heatmap(self, identifier: str, *, timeout: float | None = None) -> bytes:
        """Returns the heatmap drawn over the film of one, as a PNG file."""
        return self._call(kept_calls.picture(identifier, "heatmap"), timeout)

    def delete(self, identifier: str, *, timeout: float | None = None) -> None:
        """Deletes one; no error where there is none any longer."""
        self._call(kept_calls.delete(identifier), timeout)

    def delete_all(self, *, timeout: float | None = None) -> int:
        """Deletes all and returns how many."""
        return self._call(kept_calls.delete_all(), timeout)


class AsyncKept:
    """The methods of `Kept` as coroutines."""

    def __init__(self, call: AsyncCalling) -> None:
        self._call = call

    async def list(self, *, timeout: float | None = None) -> AsyncIterator[KeptAnalysis]:
        """Yields all, newest first; `timeout` is for each page, which is asked for when needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._call(kept_calls.page(cursor), timeout)
            cursor = page.cursor
            for each in page.analyses:
                yield each

    async def get(self, identifier: str, *, timeout: float | None = None) -> Analysis:
        """Returns one of them."""
        return await self._call(kept_calls.analysis(identifier), timeout)

    async def image(self, identifier: str, *, timeout: float | None = None) -> bytes:
        """Returns the film of one, as a PNG file."""
        return await self._call(kept_calls.picture(identifier, "image"), timeout)

    async def heatmap(self, identifier: str, *, timeout: float | None = None) -> bytes:
        """Returns the heatmap drawn over the film of one, as a PNG file."""
        return await self._call(kept_calls.picture(identifier, "heatmap"), timeout)

    async def delete(self, identifier: str, *, timeout: float | None = None) -> None:
        """Deletes one; no error where there is none any longer."""
        await self._call(kept_calls.delete(identifier), timeout)

    async def delete_all(self, *, timeout: float | None = None) -> int:
        """Deletes all and returns how many."""
        return await self._call(kept_calls.delete_all(), timeout)
