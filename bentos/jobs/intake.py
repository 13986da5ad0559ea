"""Stores the images of a new job, one after the other: never more than one is in memory."""

import hashlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bentos.database.errors import StorageUnavailable
from bentos.database.tables import JobState
from bentos.history.blobs import Blobs
from bentos.jobs.job import Job, Received
from bentos.jobs.queue import ABANDONED, JobQueue
from chestxray.errors import RejectedImage

logger = logging.getLogger(__name__)

_BEAT_SECONDS = ABANDONED.total_seconds() / 6


class JobExists(Exception):
    """The owner has a job with this id whose images are still arriving."""


class Intake:
    """Takes new jobs. Every method raises StorageUnavailable."""

    def __init__(
        self, queue: JobQueue, blobs: Blobs, problem: Callable[[RejectedImage], dict[str, Any]]
    ) -> None:
        """`problem` says as JSON why an image is not analysed."""
        self._queue, self._blobs, self._problem = queue, blobs, problem

    async def begin(self, owner: str, identifier: str, *, heatmap: str, lasts: timedelta) -> Job:
        """Opens a job for images. Raises JobExists."""
        now = datetime.now(UTC)
        job = Job(
            key=uuid.uuid4().hex,
            owner=owner,
            id=identifier,
            state=JobState.RECEIVING,
            created_at=now,
            expires_at=now + lasts,
            heatmap=heatmap,
            encryption_key=self._blobs.keyring.current,
        )
        if await self._queue.open(job):
            return job
        abandoned = await self._queue.abandoned(owner, identifier, now=now)
        if abandoned and await self._queue.hide(abandoned) and await self._queue.open(job):
            return job
        raise JobExists("the images of a job with this id are still arriving")

    async def fill(self, job: Job, images: AsyncIterator[bytes | RejectedImage]) -> Job:
        """Stores the images, and submits the job. Where it fails, nothing of the job remains."""
        received: list[Received] = []
        beat = time.monotonic()
        try:
            async for image in images:
                received.append(await self._store(job, len(received), image))
                if time.monotonic() - beat > _BEAT_SECONDS:
                    beat = time.monotonic()
                    await self._queue.receive(job)
            if not await self._queue.submit(job, received):
                raise StorageUnavailable("the images arrived too slowly, and the job was given up")
        except BaseException:
            await self._give_up(job)
            raise
        made = await self._queue.get(job.owner, job.id)
        if made is None:
            raise StorageUnavailable("the job was deleted at once")
        return made

    async def _store(self, job: Job, position: int, image: bytes | RejectedImage) -> Received:
        if isinstance(image, RejectedImage):
            return Received("", 0, self._problem(image))
        await self._blobs.put(name_of(job.key, position), image)
        return Received(hashlib.sha256(image).hexdigest(), len(image))

    async def _give_up(self, job: Job) -> None:
        """Hides the job; a sweep deletes its images."""
        try:
            await self._queue.hide(job)
        except StorageUnavailable:
            logger.warning("a job that was not completed is left to a sweep")


def name_of(job: str, position: int) -> str:
    """Returns the name of an image; a job's images have a folder, so that none is forgotten."""
    return f"{job}/{position}"
