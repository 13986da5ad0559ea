"""The routes that analyse images."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.admission.control import Admission, Ticket
from bentos.gateway import openapi
from bentos.gateway.pipeline import Heatmaps, Job, Pipeline
from bentos.gateway.uploads import read_uploads
from bentos.http import problems
from bentos.http.deadline import Deadline, while_connected
from bentos.http.negotiation import JSON, PNG, VARY, acceptable
from bentos.settings import Settings
from chestxray.errors import AnalysisError
from chestxray.results import Analysis, BatchAnalysis, Problem

PATHS = ("/v1/analyses", "/v1/analyses/batch")
"""What takes room, of one image and of several."""

_LONGEST_TIMEOUT_MS = 24 * 60 * 60 * 1000
"""More than a day is taken for a mistake."""

_FORM_OVERHEAD_BYTES = 64 * 1024
"""Room for boundaries and part headers around the image itself, which has its own limit."""


class Options(BaseModel):
    """What an analysis may be asked for."""

    model_config = ConfigDict(extra="forbid")

    heatmap: Heatmaps = Field(
        "cam",
        description="Which class activation maps: the likeliest class's, every class's, or none",
        examples=["none"],
    )


Milliseconds = Annotated[int, Field(gt=0, le=_LONGEST_TIMEOUT_MS)]
Timeout = Annotated[
    Milliseconds | SkipJsonSchema[None],  # a header that may be left away has no value null
    Header(
        alias="X-Request-Timeout-Ms",
        description="Milliseconds after which an answer is of no use any more; the service's own "
        "deadline holds where it is earlier",
        examples=[10_000],
    ),
]


def create_router(pipeline: Pipeline, admission: Admission, settings: Settings) -> APIRouter:
    """Builds the routes over a pipeline."""
    router = APIRouter(tags=["analyses"])
    read = partial(read_uploads, pause=settings.body_timeout_seconds)

    def admit(request: Request) -> AbstractContextManager[Ticket]:
        return admission.admit(request.scope["state"]["caller"])

    @router.post(PATHS[0], response_model=Analysis, **_ONE)
    async def analyse_image(
        request: Request,
        answer: Annotated[str, Depends(acceptable(JSON, PNG))],
        options: Annotated[Options, Query()],
        timeout_ms: Timeout = None,
    ) -> Any:
        """Reads one image. The header `Accept` chooses the answer: `application/json`, which is
        what comes where it is missing, or `image/png`, the heatmap drawn over the image."""
        drawn = answer == PNG
        heatmap: Heatmaps = "cam" if drawn else options.heatmap
        limit = settings.max_image_bytes + _FORM_OVERHEAD_BYTES
        with admit(request) as ticket:
            async with Deadline(timeout_ms, settings):
                uploads = await read(request, ticket, max_images=1, max_bytes=limit)
                async with while_connected(request):
                    (job,) = await pipeline.analyse(uploads, heatmap=heatmap, picture=drawn)
                    request.scope["state"]["timing"] = job.milliseconds
                    if drawn:
                        return Response(await pipeline.draw(job), headers=VARY, media_type=PNG)
        return job.result

    @router.post(PATHS[1], response_model=BatchAnalysis, **_BATCH)
    async def analyse_batch(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> BatchAnalysis:
        """Reads several images, each in a field `image` of its own. Each gets an analysis or a
        problem of its own, in the order in which they came."""
        most, limit = settings.max_images_per_batch, settings.max_batch_bytes
        with admit(request) as ticket:
            async with Deadline(timeout_ms, settings):
                uploads = await read(request, ticket, max_images=most, max_bytes=limit)
                async with while_connected(request):
                    jobs = await pipeline.analyse(uploads, heatmap=options.heatmap)
        return BatchAnalysis(results=[_result(request, job) for job in jobs])

    return router


def _result(request: Request, job: Job) -> Analysis | Problem:
    try:
        return job.result
    except AnalysisError as error:
        return problems.problem_of(error, request.scope["state"]["request_id"])


_ONE: dict[str, Any] = {
    "summary": "Analyse an image",
    "openapi_extra": openapi.body("ImageForm", route=PATHS[0]),
    "responses": openapi.answer(
        "The analysis, or the heatmap over the image",
        "Server-Timing",
        "Vary",
        content={PNG: {"schema": openapi.BINARY}},
    )
    | openapi.problems(400, 406, 408, 413, 415, 422, 500, 503, 504),
}
_BATCH: dict[str, Any] = {
    "summary": "Analyse several images",
    "dependencies": [Depends(acceptable(JSON))],
    "openapi_extra": openapi.body("ImagesForm", route=PATHS[1]),
    # A problem of one image is a result here; only one of the whole request is a status.
    "responses": openapi.answer("An analysis or a problem of each image", "Vary")
    | openapi.problems(400, 406, 408, 413, 415, 500, 503, 504),
}
