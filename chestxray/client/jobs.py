"""Many images in one request, analysed when the service has capacity; for both clients."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from chestxray.client import job_calls
from chestxray.client.bundle import AsyncBundle, Bundle, bundle_at, bundle_of
from chestxray.client.calls import Heatmaps
from chestxray.client.errors import DeadlineExceeded
from chestxray.client.images import Image
from chestxray.client.kept import AsyncCalling, Calling
from chestxray.client.results import JobItem, JobStatus

UPLOAD_TIMEOUT = 60 * 60.0
"""Seconds that the images of a job may take to arrive."""
Progress = Callable[[JobStatus], None]


class Jobs:
    """The caller's jobs; every method raises ChestXrayError.

    The service stores the images until they are analysed, and the results until the job expires
    or is deleted. Names of files are not sent.
    """

    def __init__(self, call: Calling) -> None:
        self._call = call

    def submit(
        self,
        images: Iterable[Image],
        *,
        name: str | None = None,
        heatmap: Heatmaps = "none",
        timeout: float = UPLOAD_TIMEOUT,
    ) -> JobStatus:
        """Sends images for analysis, one after the other through a temporary file.

        `name` becomes the job's id: submitted again under it, by another process maybe, it is the
        same job. Without it a new one is made, which tries of this call share.
        """
        with bundle_of(images) as bundle:
            return self._submit(bundle, name, heatmap, timeout)

    def submit_zip(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        heatmap: Heatmaps = "none",
        timeout: float = UPLOAD_TIMEOUT,
    ) -> JobStatus:
        """Sends a zip file of images for analysis; names within it are not kept."""
        with bundle_at(path) as bundle:
            return self._submit(bundle, name, heatmap, timeout)

    def list(self, *, timeout: float | None = None) -> list[JobStatus]:
        """Returns the newest jobs."""
        return self._call(job_calls.jobs(), timeout)

    def get(self, identifier: str, *, timeout: float | None = None) -> JobStatus:
        """Returns how far a job is."""
        return self._call(job_calls.job(identifier), timeout)

    def wait(
        self, identifier: str, *, timeout: float, progress: Progress = lambda status: None
    ) -> JobStatus:
        """Asks how far a job is until it has ended, and tells `progress` each time.

        Raises DeadlineExceeded after `timeout` seconds.
        """
        end, polls = time.monotonic() + timeout, 0
        while True:
            status = self.get(identifier, timeout=_left(end, timeout))
            progress(status)
            if job_calls.has_ended(status):
                return status
            time.sleep(min(job_calls.pause_after(polls), _left(end, timeout)))
            polls += 1

    def results(self, identifier: str, *, timeout: float | None = None) -> Iterator[JobItem]:
        """Yields the items of a job in the order of its images, those without a result as well."""
        begin: int | None = 0
        while begin is not None:
            page = self._call(job_calls.results(identifier, begin), timeout)
            begin = page.begin
            yield from page.items

    def cancel(self, identifier: str, *, timeout: float | None = None) -> JobStatus:
        """Leaves out what waits of a job; the results that there are stay."""
        return self._call(job_calls.cancel(identifier), timeout)

    def delete(self, identifier: str, *, timeout: float | None = None) -> None:
        """Deletes a job with its results; no error where there is none any longer."""
        self._call(job_calls.delete(identifier), timeout)

    def _submit(
        self, bundle: Bundle, name: str | None, heatmap: Heatmaps, timeout: float
    ) -> JobStatus:
        identifier = name or uuid.uuid4().hex
        return self._call(job_calls.submit(bundle, bundle.size, identifier, heatmap), timeout)


class AsyncJobs:
    """The methods of `Jobs` as coroutines."""

    def __init__(self, call: AsyncCalling) -> None:
        self._call = call

    async def submit(
        self,
        images: Iterable[Image],
        *,
        name: str | None = None,
        heatmap: Heatmaps = "none",
        timeout: float = UPLOAD_TIMEOUT,
    ) -> JobStatus:
        """Sends images for analysis, as `Jobs.submit` does."""
        opening = bundle_of(images)
        bundle = await asyncio.to_thread(opening.__enter__)  # it reads all images
        try:
            return await self._submit(bundle, name, heatmap, timeout)
        finally:
            opening.__exit__(None, None, None)

    async def submit_zip(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        heatmap: Heatmaps = "none",
        timeout: float = UPLOAD_TIMEOUT,
    ) -> JobStatus:
        """Sends a zip file of images for analysis; names within it are not kept."""
        with bundle_at(path) as bundle:
            return await self._submit(bundle, name, heatmap, timeout)

    async def list(self, *, timeout: float | None = None) -> list[JobStatus]:
        """Returns the newest jobs."""
        return await self._call(job_calls.jobs(), timeout)

    async def get(self, identifier: str, *, timeout: float | None = None) -> JobStatus:
        """Returns how far a job is."""
        return await self._call(job_calls.job(identifier), timeout)

    async def wait(
        self, identifier: str, *, timeout: float, progress: Progress = lambda status: None
    ) -> JobStatus:
        """Asks how far a job is until it has ended, and tells `progress` each time.

        Raises DeadlineExceeded after `timeout` seconds.
        """
        end, polls = time.monotonic() + timeout, 0
        while True:
            status = await self.get(identifier, timeout=_left(end, timeout))
            progress(status)
            if job_calls.has_ended(status):
                return status
            await asyncio.sleep(min(job_calls.pause_after(polls), _left(end, timeout)))
            polls += 1

    async def results(
        self, identifier: str, *, timeout: float | None = None
    ) -> AsyncIterator[JobItem]:
        """Yields the items of a job in the order of its images, those without a result as well."""
        begin: int | None = 0
        while begin is not None:
            page = await self._call(job_calls.results(identifier, begin), timeout)
            begin = page.begin
            for each in page.items:
                yield each

    async def cancel(self, identifier: str, *, timeout: float | None = None) -> JobStatus:
        """Leaves out what waits of a job; the results that there are stay."""
        return await self._call(job_calls.cancel(identifier), timeout)

    async def delete(self, identifier: str, *, timeout: float | None = None) -> None:
        """Deletes a job with its results; no error where there is none any longer."""
        await self._call(job_calls.delete(identifier), timeout)

    async def _submit(
        self, bundle: Bundle, name: str | None, heatmap: Heatmaps, timeout: float
    ) -> JobStatus:
        identifier, body = name or uuid.uuid4().hex, AsyncBundle(bundle)
        return await self._call(job_calls.submit(body, bundle.size, identifier, heatmap), timeout)


def _left(end: float, timeout: float) -> float:
    """Seconds until the end. Raises DeadlineExceeded."""
    if (left := end - time.monotonic()) <= 0:
        raise DeadlineExceeded(f"the job has not ended within {timeout:g} s")
    return left
