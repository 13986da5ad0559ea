"""Analyses the images of jobs in a gateway, whenever no interactive request needs it."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from bentos.admission.control import Admission
from bentos.database.errors import StorageUnavailable
from bentos.gateway.image_task import Heatmaps
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload
from bentos.history.blobs import Blobs
from bentos.history_metrics import get_history_metrics
from bentos.http import problems
from bentos.http.problems import RequestProblem
from bentos.jobs import deletion
from bentos.jobs.intake import name_of
from bentos.jobs.job import Claim
from bentos.jobs.queue import MAX_ATTEMPTS, JobQueue
from bentos.metric_labels import JobOutcome, Swept
from bentos.metrics import get_metrics
from chestxray.errors import AnalysisError, ModelUnavailable, UnreadableImage

logger = logging.getLogger(__name__)

CALLER = "jobs"
"""Under this name their images share the service with those of clients' addresses."""
_POLL_SECONDS, _IDLE_SECONDS = 0.02, 2.0
_CALM_SECONDS = 2.0
"""After an interactive image only one worker goes on for this time: the next finds a core free."""
_PATIENCE_SECONDS = 5.0
"""Under steady load an image of a job goes ahead after this time, so that jobs end."""
_DEPTH_SECONDS = 10.0
_FAILED = AnalysisError("the analysis of this image failed")


class JobWorker:
    """Takes items off the queue, as many at once as there are decoders."""

    def __init__(
        self,
        queue: JobQueue,
        blobs: Blobs,
        pipeline: Pipeline,
        admission: Admission,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._queue, self._blobs = queue, blobs
        self._pipeline, self._admission = pipeline, admission
        self._is_stopping = is_stopping
        self._mine = 0
        self._interactive_at = -_CALM_SECONDS
        self._submitted = asyncio.Event()
        self._measured = -_DEPTH_SECONDS

    def wake(self) -> None:
        """Says that a job was submitted."""
        self._submitted.set()

    async def run(self) -> None:
        """Works until it is cancelled; what it has begun then waits for another worker."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._pipeline.parallel):
                group.create_task(self._work(is_first=number == 0))

    async def sweep(self) -> None:
        """Deletes jobs that have expired or were deleted, with their images."""
        await deletion.sweep(self._queue, self._blobs)
        get_history_metrics().last_sweep.labels(Swept.JOBS).set_to_current_time()

    async def _work(self, *, is_first: bool) -> None:
        while True:
            try:
                await self._until_idle(is_first=is_first)
                await self._measure()
                claim = await self._queue.claim(now=datetime.now(UTC))
                if claim:
                    await self._analyse(claim)
                    continue
            except StorageUnavailable as error:
                logger.debug("the queue of jobs is unavailable: %s", error)
            self._submitted.clear()
            try:
                await asyncio.wait_for(self._submitted.wait(), _IDLE_SECONDS)
            except TimeoutError:
                continue

    async def _until_idle(self, *, is_first: bool) -> None:
        """Waits while interactive images are in flight, the first worker only for a time; always
        during a drain."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            now = time.monotonic()
            busy = self._admission.images > self._mine
            self._interactive_at = now if busy else self._interactive_at
            calm = now - self._interactive_at >= _CALM_SECONDS
            may_go = (not busy or now > end) if is_first else calm
            if may_go and not self._is_stopping():
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _analyse(self, claim: Claim) -> None:
        self._mine += 1
        try:
            result = await self._result(claim)
        except (ModelUnavailable, RequestProblem):  # neither is the image's fault
            await self._queue.put_back(claim)
            await asyncio.sleep(_IDLE_SECONDS)
            return
        except StorageUnavailable:
            raise  # the claim ends by itself
        except asyncio.CancelledError:
            await asyncio.shield(self._queue.put_back(claim))
            raise
        finally:
            self._mine -= 1
        if await self._queue.finish(claim, result):
            analysed = "prediction" in result
            outcome = JobOutcome.ANALYSED if analysed else JobOutcome.PROBLEM
            get_metrics().job_items.labels(outcome).inc()
            await self._blobs.delete([name_of(claim.job, claim.position)])

    async def _result(self, claim: Claim) -> dict[str, Any]:
        """Returns an analysis or a problem as JSON. Raises ModelUnavailable or RequestProblem."""
        if claim.attempts > MAX_ATTEMPTS:
            return problem_json(_FAILED)
        name = name_of(claim.job, claim.position)
        data = await self._blobs.get(name, encrypted=claim.encrypted)
        if data is None:
            return problem_json(UnreadableImage("the image was deleted before its analysis"))
        with self._admission.admit(CALLER) as ticket:
            ticket.add_images(1)
            try:
                task = await self._pipeline.analyse_one(
                    Upload(data, None), heatmap=cast(Heatmaps, claim.heatmap), picture=False
                )
            except (AnalysisError, RequestProblem):
                raise
            except Exception:  # a bug must not end the worker
                logger.exception("the analysis of an image of a job failed")
                return problem_json(_FAILED)
        try:
            return task.result.model_dump(mode="json")
        except ModelUnavailable:
            raise
        except AnalysisError as error:
            return problem_json(error)

    async def _measure(self) -> None:
        if time.monotonic() - self._measured > _DEPTH_SECONDS:
            self._measured = time.monotonic()
            get_metrics().jobs_waiting.set(await self._queue.depth())


def problem_json(error: AnalysisError) -> dict[str, Any]:
    """Returns a problem as JSON; there is no request that it could name."""
    return problems.problem_of(error, "").model_dump(mode="json", exclude_none=True)
