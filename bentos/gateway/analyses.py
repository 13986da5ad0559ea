"""The routes that analyse images."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from bentos.gateway import problems
from bentos.gateway.admission import Admission, Ticket
from bentos.gateway.patience import Deadline, while_connected
from bentos.gateway.pipeline import Heatmaps, Job, Pipeline
from bentos.gateway.uploads import FIELD, read_uploads
from bentos.settings import Settings
from chestxray.containers import MEDIA_TYPES
from chestxray.errors import AnalysisError
from chestxray.results import Analysis, BatchAnalysis, Problem

PATHS = ("/v1/analyses", "/v1/analyses/batch")
"""What takes room, of one image and of several."""

_FORM_OVERHEAD_BYTES = 64 * 1024
"""Room for boundaries and part headers around the image itself, which has its own limit."""


class Options(BaseModel):
    """What an analysis may be asked for."""

    model_config = ConfigDict(extra="forbid")

    heatmap: Heatmaps = "cam"


# A header that may be left away has no value null.
Timeout = Annotated[PositiveInt | SkipJsonSchema[None], Header(alias="X-Request-Timeout-Ms")]


def create_router(pipeline: Pipeline, admission: Admission, settings: Settings) -> APIRouter:
    """Builds the routes over a pipeline."""
    router = APIRouter()
    read = partial(read_uploads, pause=settings.body_timeout_seconds)

    def admit(request: Request) -> AbstractContextManager[Ticket]:
        return admission.admit(request.scope["state"]["caller"])

    @router.post(PATHS[0], response_model=Analysis, **_ONE)
    async def analyse(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> Any:
        """Analyses one image; with `Accept: image/png` the answer is the heatmap over it."""
        drawn = request.headers.get("accept", "").startswith("image/png")
        heatmap: Heatmaps = "cam" if drawn else options.heatmap
        limit = settings.max_image_bytes + _FORM_OVERHEAD_BYTES
        with admit(request) as ticket:
            async with Deadline(timeout_ms, settings):
                uploads = await read(request, ticket, max_images=1, max_bytes=limit)
                async with while_connected(request):
                    (job,) = await pipeline.analyse(uploads, heatmap=heatmap, picture=drawn)
                    request.scope["state"]["timing"] = job.milliseconds
                    if drawn:
                        return Response(await pipeline.draw(job), media_type="image/png")
        return job.result

    @router.post(PATHS[1], response_model=BatchAnalysis, **_BATCH)
    async def analyse_batch(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> BatchAnalysis:
        """Analyses several images; each gets a result or a problem of its own, in order."""
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


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": [FIELD], "properties": {FIELD: schema}}
    raw = ["application/octet-stream", *MEDIA_TYPES.values()]
    content = {"multipart/form-data": {"schema": form}} | {kind: {"schema": _FILE} for kind in raw}
    return {"requestBody": {"required": True, "content": content}}


_FILE = {"type": "string", "format": "binary"}
_ONE: dict[str, Any] = {
    "openapi_extra": _body(_FILE),
    "responses": problems.responses(400, 408, 413, 415, 422, 500, 503, 504)
    | {200: {"content": {"image/png": {"schema": _FILE}}}},
}
_BATCH: dict[str, Any] = {
    "openapi_extra": _body({"type": "array", "items": _FILE}),
    # A problem of one image is a result here; only one of the whole request is a status.
    "responses": problems.responses(400, 408, 413, 415, 500, 503, 504),
}
