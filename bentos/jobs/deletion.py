"""Deletes jobs with their images: the images first, so that none is ever without a job."""

from datetime import UTC, datetime

from bentos.history.blobs import Blobs
from bentos.jobs.queue import JobQueue

_BATCH = 10


async def sweep(queue: JobQueue, blobs: Blobs) -> int:
    """Deletes jobs that have expired, were deleted or given up, and what was to be delivered of
    them; returns how many.

    Several processes may sweep at once. Raises StorageUnavailable.
    """
    swept = 0
    while keys := await queue.claim_hidden(_BATCH, now=datetime.now(UTC)):
        for key in keys:
            await blobs.delete_folder(key)
        await queue.forget(keys)
        swept += len(keys)
    await queue.prune_webhooks()
    return swept
