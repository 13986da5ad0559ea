"""A gateway's part in jobs, over real storage and with models that answer at once.

It submits, works on, cancels and deletes jobs, and says what it does, until it is killed.
"""

import asyncio
import hashlib
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.database.errors import StorageUnavailable
from bentos.gateway import examples
from bentos.gateway.image_task import ImageTask
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload
from bentos.history.history import History
from bentos.jobs import queue
from bentos.jobs.job import Claim, Job
from bentos.jobs.jobs import Jobs
from bentos.settings import Settings
from chestxray.results import Analysis

OWNER = "key:trial"
SHORT = timedelta(seconds=3)
"""Instead of minutes, for which a gateway waits that is not killed every half second."""
Say = Callable[..., object]
_DEPTH = 60
_EXAMPLE = examples.ANSWERS["analyse_image"]


def identifier_of(digest: str) -> str:
    """What the result of a film has as its id, so that it is known whose result it is."""
    return digest[:32]


class QuickPipeline:
    """Answers for a film after a moment."""

    parallel = 2

    async def analyse_one(self, upload: Upload, **_: Any) -> ImageTask:
        await asyncio.sleep(random.uniform(0, 0.02))
        identifier = identifier_of(hashlib.sha256(upload.data).hexdigest())
        analysis = Analysis.model_validate(_EXAMPLE | {"id": identifier})
        return ImageTask(upload, analysis=analysis)


@asynccontextmanager
async def opened(environment: dict[str, str]) -> AsyncIterator[tuple[History, Jobs]]:
    """The jobs of a gateway with these settings, and with short times."""
    os.environ.update(environment)  # the object store's client reads its own there
    queue.LEASE = queue.ABANDONED = queue._CLAIM = SHORT
    settings = Settings()
    history = History(settings)
    admission = Admission(max_images=48, max_bytes=2**28, max_queue_seconds=2, ledger=Ledger())
    pipeline = cast(Pipeline, QuickPipeline())
    try:
        yield history, Jobs(history, pipeline, admission, is_stopping=lambda: False)
    finally:
        await history.close()


def saying(jobs: Jobs, say: Say) -> None:
    """Lets the queue say which items got a result."""
    finish = jobs.queue.finish

    async def finish_and_say(claim: Claim, result: dict[str, Any]) -> bool:
        done = await finish(claim, result)
        if done:
            say("answered", f"{claim.job}/{claim.position}")
        return done

    cast(Any, jobs.queue).finish = finish_and_say


async def submit(jobs: Jobs, say: Say) -> Job:
    """Submits a job of some films; says their digests before, and when it is accepted."""
    films = [os.urandom(2000) for _ in range(random.randint(1, 8))]

    async def arriving() -> AsyncIterator[bytes]:
        for film in films:
            yield film

    name = uuid.uuid4().hex
    say("submitting", name, [hashlib.sha256(film).hexdigest() for film in films])
    begun = await jobs.intake.begin(OWNER, name, heatmap="none", lasts=timedelta(hours=24))
    job = await jobs.intake.fill(begun, arriving())
    say("submitted", name)
    jobs.worker.wake()
    return job


async def end(jobs: Jobs, job: Job, say: Say, *, delete: bool) -> None:
    """Cancels or deletes a job as a gateway does."""
    say("ending", job.id)
    if delete:
        await jobs.queue.hide(job)
        say("deleted", job.id)
        jobs.sweep_soon()
    else:
        await jobs.cancel(job)
        say("cancelled", job.id)


async def act(jobs: Jobs, say: Say) -> None:
    """Submits jobs, and ends some of them."""
    while True:
        try:
            if await jobs.queue.depth() > _DEPTH:
                await asyncio.sleep(0.02)
                continue
            job = await submit(jobs, say)
            await asyncio.sleep(random.uniform(0, 0.05))
            dice = random.random()
            if dice < 0.5:
                await end(jobs, job, say, delete=dice < 0.25)
        except StorageUnavailable:  # the database is busy: nothing was acknowledged
            await asyncio.sleep(0.02)


def live(environment: dict[str, str], pipe: Any) -> None:
    """The whole process."""
    random.seed()

    async def main() -> None:
        async with opened(environment) as (_, jobs):
            saying(jobs, lambda *what: pipe.send(what))
            await asyncio.gather(jobs.run(), act(jobs, lambda *what: pipe.send(what)))

    asyncio.run(main())
