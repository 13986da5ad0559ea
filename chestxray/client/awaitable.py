"""The client for asyncio."""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

import httpx

from chestxray.client import calls
from chestxray.client.attempts import Retries
from chestxray.client.calls import Answer, Call, Heatmaps, Result
from chestxray.client.errors import ChestXrayError, DeadlineExceeded
from chestxray.client.exchange import (
    DEFAULT_TIMEOUT,
    Options,
    Outcome,
    Pause,
    Receiving,
    Send,
    failure,
    with_key,
)
from chestxray.client.images import Image, read
from chestxray.client.jobs import AsyncJobs
from chestxray.client.kept import AsyncKept
from chestxray.client.results import Analysis, Problem


class AsyncClient:
    """Calls the service as `Client` does, in coroutines; the deadline is kept exactly."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: Retries = Retries(),  # noqa: B008, frozen
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._options = Options(url, timeout, retries, with_key(headers, api_key))
        self._owned = http is None
        self._http = http or httpx.AsyncClient()
        self.kept, self.jobs = AsyncKept(self._call), AsyncJobs(self._call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._owned:
            await self._http.aclose()

    async def analyze(
        self,
        image: Image,
        *,
        heatmap: Heatmaps = "cam",
        keep: bool = False,
        timeout: float | None = None,
    ) -> Analysis:
        """Analyses one image; one that is no frontal chest radiograph raises ProblemError.

        With `keep` the service keeps the film and the result for the caller, in `kept`.
        """
        call = calls.analyze(await _read(image), heatmap, keep=keep)
        return await self._call(call, timeout)

    async def analyze_batch(
        self, images: Iterable[Image], *, heatmap: Heatmaps = "cam", timeout: float | None = None
    ) -> list[Analysis | Problem]:
        """Returns the analysis of each image, or why there is none, in the same order."""
        return await self._call(
            calls.analyze_batch([await _read(each) for each in images], heatmap), timeout
        )

    async def heatmap(self, image: Image, *, timeout: float | None = None) -> bytes:
        """Returns the heatmap drawn over the image, as a PNG file."""
        return await self._call(calls.heatmap(await _read(image)), timeout)

    async def report(
        self, image: Image, *, language: str = "en", timeout: float | None = None
    ) -> bytes:
        """Returns a DICOM structured report for the study of a DICOM image.

        Its language is the nearest to `language` that the service has: en, pt-BR or es.
        """
        return await self._call(calls.report(await _read(image), language), timeout)

    async def dicom_objects(
        self, image: Image, *, language: str = "en", timeout: float | None = None
    ) -> list[bytes]:
        """Returns the report, the heatmap as a picture, and its outlines, as DICOM files."""
        return await self._call(calls.dicom_objects(await _read(image), language), timeout)

    async def _call(self, call: Call[Result], timeout: float | None) -> Result:
        exchange = self._options.start(call, timeout)
        outcome: Outcome = None
        while True:
            try:
                step = exchange.send(outcome)
            except StopIteration as done:
                result: Result = done.value
                return result
            outcome = await self._take(step)

    async def _take(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            async with asyncio.timeout(step.seconds):
                return await self._receive(step)
        except TimeoutError:
            return DeadlineExceeded("the answer did not arrive in time")
        except httpx.RequestError as error:
            return failure(error)
        except ChestXrayError as error:
            return error

    async def _receive(self, step: Send) -> Answer:
        receiving = Receiving(step)
        response = await self._http.send(self._http.build_request(**step.request), stream=True)
        try:
            async for chunk in response.aiter_bytes():
                receiving.add(chunk)
        finally:
            await response.aclose()
        return receiving.answer(response)


async def _read(image: Image) -> bytes:
    return await asyncio.to_thread(read, image)  # a disk may be slow
