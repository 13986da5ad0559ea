"""Routes of jobs: many images in one request, which are analysed when there is capacity."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.audit.trail import Event, Outcome, digest_of
from bentos.callers.caller import Caller, Scope
from bentos.callers.quotas import Allowance
from bentos.gateway import examples, openapi
from bentos.gateway.image_task import Heatmaps
from bentos.gateway.job_bodies import Image, images_in
from bentos.gateway.keeping import Keeping, translated
from bentos.http.client_address import caller_of
from bentos.http.negotiation import JSON, acceptable
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from bentos.jobs.intake import JobExists
from bentos.jobs.job import Job
from bentos.jobs.jobs import Jobs
from bentos.settings import Settings
from chestxray.results import JobItem, JobList, JobResults, JobStatus

JOBS = "/v1/jobs"
_ONE = f"{JOBS}/{{id}}"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_MAX_PAGE = 100
_UPLOADS, _UPLOADS_OF_ONE = 4, 2
"""Jobs whose images arrive at the same time, in all and of one caller: each holds an image."""

Identifier = Annotated[
    str, Path(alias="id", pattern=_ID, description="`id` of the job", examples=[examples.ID])
]


class JobOptions(BaseModel):
    """Query parameters of a new job."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=_ID)] | SkipJsonSchema[None] = Field(
        None,
        description="A name of the job that its caller has not used: a repeated request with the "
        "same name returns the job. Without it the service makes one",
        examples=["examples-of-2026-11"],
    )
    heatmap: Heatmaps = Field(
        "none", description="Class activation maps in the results", examples=["none"]
    )


class ResultsPage(BaseModel):
    """Query parameters of a job's results."""

    model_config = ConfigDict(extra="forbid")

    begin: int = Field(0, ge=0, le=2**31 - 1, description="First position")
    limit: int = Field(_MAX_PAGE, ge=1, le=_MAX_PAGE, description="Most items in the response")


class _Uploads:
    """Counts the jobs whose images arrive."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Counts one. Raises RequestProblem 503 where there are as many as may be."""
        if self._of.total() >= _UPLOADS or self._of[caller] >= _UPLOADS_OF_ONE:
            detail = "the images of as many jobs as may be arrive now; try again in 10 s"
            headers = {"Retry-After": "10"}
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise RequestProblem(status, "overloaded", detail, headers=headers)
        self._of[caller] += 1
        try:
            yield
        finally:
            self._of[caller] -= 1
            self._of += Counter()  # forgets who has none


def create_router(jobs: Jobs, keeping: Keeping, settings: Settings) -> APIRouter:
    """Builds the routes."""
    router = APIRouter(tags=["jobs"])
    uploads = _Uploads()

    async def submitter(request: Request) -> Caller:
        return await keeping.caller(request, Scope.ANALYSE, Scope.HISTORY)

    @router.post(JOBS, response_model=JobStatus, status_code=HTTPStatus.ACCEPTED, **_SUBMIT)
    async def submit_job(
        request: Request,
        response: Response,
        caller: Annotated[Caller, Depends(submitter)],
        options: Annotated[JobOptions, Query()],
    ) -> JobStatus:
        """Takes many images, each in its own field `image`, or a zip file of them, for analysis
        when the service has capacity. The images are stored until then, the results until the job
        expires or is deleted; names of files are not."""
        caller, cookie = keeping.introduced(caller)
        identifier = options.id or uuid.uuid4().hex
        address = caller_of(request.scope, settings.trusted_proxies)
        with translated(), uploads.one(address):
            job, event = await jobs.queue.get(caller.owner, identifier), Event.JOB_READ
            if job is None:
                allowance = await keeping.quotas.job_allowance(request, caller, address)
                images = _counted(images_in(request, settings), allowance)
                job = await _receive(jobs, images, caller, identifier, options.heatmap, settings)
                event = Event.JOB_SUBMITTED
                jobs.worker.wake()
        _note(keeping, event, job, images=job.total)
        response.headers["Location"] = f"{prefix.get()}{JOBS}/{identifier}"
        keeping.remember(response, request, caller, cookie)
        return status_of(job)

    _add_reading(router, jobs, keeping)
    _add_ending(router, jobs, keeping)
    return router


async def _counted(images: AsyncIterator[Image], allowance: Allowance) -> AsyncIterator[Image]:
    """Counts the images once all have arrived; refuses more than the quota allows at once."""
    count = 0
    async for image in images:
        count += 1
        allowance.check_so_far(count)
        yield image
    await allowance.spend(count)


async def _receive(
    jobs: Jobs,
    images: AsyncIterator[Image],
    caller: Caller,
    identifier: str,
    heatmap: Heatmaps,
    settings: Settings,
) -> Job:
    """Stores the images of a body as a new job. Raises RequestProblem."""
    if await jobs.queue.total_bytes() > settings.max_waiting_bytes:
        detail = "as many images wait in jobs as may; try again later"
        headers, status = {"Retry-After": "60"}, HTTPStatus.SERVICE_UNAVAILABLE
        raise RequestProblem(status, "storage-unavailable", detail, headers=headers)
    lasts = timedelta(hours=caller.retention_hours or settings.retention_hours)
    try:
        job = await jobs.intake.begin(caller.owner, identifier, heatmap=heatmap, lasts=lasts)
    except JobExists as error:
        headers = {"Retry-After": "5"}
        code, status = "request-in-progress", HTTPStatus.CONFLICT
        raise RequestProblem(status, code, str(error), headers=headers) from error
    return await jobs.intake.fill(job, images)


def _finder(jobs: Jobs, keeping: Keeping) -> Any:
    async def found(request: Request, identifier: Identifier) -> Job:
        caller = await keeping.caller(request, Scope.HISTORY)
        with translated():
            job = await jobs.queue.get(caller.owner, identifier)
        if job is None:
            trail, name = keeping.history.trail, digest_of(identifier)
            trail.record(Event.JOB_READ, caller.owner, outcome=Outcome.NOT_FOUND, job=name)
            detail = "this caller has no such job: it never had, deleted it, or it has expired"
            raise RequestProblem(HTTPStatus.NOT_FOUND, "no-such-job", detail)
        return job

    return found


def _add_reading(router: APIRouter, jobs: Jobs, keeping: Keeping) -> None:
    Found = Annotated[Job, Depends(_finder(jobs, keeping))]

    @router.get(JOBS, response_model=JobList, **_LIST)
    async def list_jobs(request: Request) -> JobList:
        """Lists the caller's newest jobs."""
        caller = await keeping.caller(request, Scope.HISTORY)
        with translated():
            found = await jobs.queue.newest(caller.owner, limit=_MAX_PAGE)
        listed = [digest_of(each.id) for each in found]
        keeping.history.trail.record(Event.JOBS_LISTED, caller.owner, jobs=listed)
        return JobList(jobs=[status_of(each) for each in found])

    @router.get(_ONE, response_model=JobStatus, **_GET)
    async def get_job(job: Found) -> JobStatus:
        """Returns how far a job is."""
        _note(keeping, Event.JOB_READ, job)
        return status_of(job)

    @router.get(f"{_ONE}/results", response_model=JobResults, **_RESULTS)
    async def get_job_results(job: Found, page: Annotated[ResultsPage, Query()]) -> JobResults:
        """Returns the items of a job in the order of its images, those with a result and those
        without one yet."""
        with translated():
            items = await jobs.queue.items(job, begin=page.begin, limit=page.limit)
        _note(keeping, Event.JOB_RESULTS_READ, job, begin=page.begin, count=len(items))
        following = page.begin + len(items)
        return JobResults(
            items=[JobItem(**vars(each)) for each in items],
            next=following if following < job.total else None,
        )


def _add_ending(router: APIRouter, jobs: Jobs, keeping: Keeping) -> None:
    Found = Annotated[Job, Depends(_finder(jobs, keeping))]

    @router.post(f"{_ONE}/cancel", response_model=JobStatus, **_CANCEL)
    async def cancel_job(job: Found) -> JobStatus:
        """Takes the images that wait off the queue and deletes them; the results that there are
        stay."""
        with translated():
            await jobs.cancel(job)
            changed = await jobs.queue.get(job.owner, job.id)
        _note(keeping, Event.JOB_CANCELLED, job)
        return status_of(changed or job)

    @router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_DELETE)
    async def delete_job(job: Found) -> None:
        """Cancels a job, and deletes it with its images and results."""
        with translated():
            await jobs.queue.hide(job)
        _note(keeping, Event.JOB_DELETED, job)
        jobs.sweep_soon()


def _note(keeping: Keeping, event: Event, job: Job, **about: Any) -> None:
    """Adds a line to the audit trail."""
    keeping.history.trail.record(event, job.owner, job=digest_of(job.id), **about)


def status_of(job: Job) -> JobStatus:
    """Returns a job as it is answered."""
    shown: dict[str, Any] = {name: getattr(job, name) for name in _SHOWN}
    return JobStatus(**shown)


_SHOWN = ("id", "state", "created_at", "expires_at", "total", "done")
_PROBLEMS = openapi.problems(400, 401, 403, 404, 406, 500, 503)
_JSON: dict[str, Any] = {"dependencies": [Depends(acceptable(JSON))]}
_SUBMIT: dict[str, Any] = _JSON | {
    "summary": "Submit a job",
    "openapi_extra": openapi.job_body(JOBS),
    "responses": openapi.accepted("The job; or the one that the caller has with this id")
    | openapi.problems(400, 401, 403, 406, 408, 409, 413, 415, 429, 500, 503),
}
_LIST: dict[str, Any] = _JSON | {
    "summary": "List jobs",
    "responses": openapi.answer("The jobs", "Vary") | openapi.problems(401, 403, 406, 500, 503),
}
_GET: dict[str, Any] = _JSON | {
    "summary": "Get a job",
    "responses": openapi.answer("The job", "Vary") | _PROBLEMS,
}
_RESULTS: dict[str, Any] = _JSON | {
    "summary": "Get results of a job",
    "responses": openapi.answer("Items of the job", "Vary") | _PROBLEMS,
}
_CANCEL: dict[str, Any] = _JSON | {
    "summary": "Cancel a job",
    "responses": openapi.answer("The job", "Vary") | _PROBLEMS,
}
_DELETE: dict[str, Any] = {
    "summary": "Delete a job",
    "responses": openapi.problems(400, 401, 403, 404, 500, 503),
}
