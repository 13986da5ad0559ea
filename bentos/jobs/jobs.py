"""Jobs, opened over the same database and object store as kept analyses."""

import asyncio
from collections.abc import Callable

from bentos.admission.control import Admission
from bentos.gateway.pipeline import Pipeline
from bentos.history.history import History
from bentos.history.sweeper import Sweeper
from bentos.jobs.intake import Intake, name_of
from bentos.jobs.job import Job
from bentos.jobs.queue import JobQueue
from bentos.jobs.worker import JobWorker, problem_json


class Jobs:
    """The queue, what fills it, and what empties it."""

    def __init__(
        self,
        history: History,
        pipeline: Pipeline,
        admission: Admission,
        *,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._history = history
        self.queue = JobQueue(history.database)
        self.intake = Intake(self.queue, history.job_images, problem_json)
        self.worker = JobWorker(
            self.queue, history.job_images, pipeline, admission, is_stopping=is_stopping
        )
        self._sweeper = Sweeper(lambda: history.until_done(self.worker.sweep))

    async def run(self) -> None:
        """Analyses the images of jobs, and deletes jobs that have expired, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.worker.run())
            group.create_task(self._sweeper.run())

    async def cancel(self, job: Job) -> None:
        """Takes what waits of a job off the queue, and deletes its images.

        Raises StorageUnavailable.
        """
        positions = await self.queue.cancel(job)
        await self._history.job_images.delete(name_of(job.key, each) for each in positions)

    def sweep_soon(self) -> None:
        """Lets the next sweep begin at once."""
        self._sweeper.soon()
