"""The public surface: routes, as thin as they can be."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict

from bentos.gateway import problems
from bentos.gateway.admission import Admission
from bentos.gateway.pipeline import Job, Pipeline
from bentos.gateway.problems import RequestProblem
from bentos.gateway.uploads import FIELD, read_uploads
from bentos.settings import Settings
from chestxray.containers import MEDIA_TYPES
from chestxray.errors import AnalysisError, NotAnXRay
from chestxray.results import DISCLAIMER, Analysis, BatchAnalysis, Model, Models, Problem

_FORM_OVERHEAD_BYTES = 64 * 1024
"""Room for boundaries and part headers around the image itself."""


class Options(BaseModel):
    """What an analysis may be asked for."""

    model_config = ConfigDict(extra="forbid")

    heatmap: Literal["cam", "none"] = "cam"


Timeout = Annotated[int | None, Header(alias="X-Request-Timeout-Ms", ge=1, le=600_000)]


def create_app(pipeline: Pipeline, admission: Admission, settings: Settings) -> FastAPI:
    """Builds the app over a pipeline, which may be a fake one."""
    app = FastAPIOffline(
        title="chestxray",
        version=pipeline.covid_classifier.card.version,
        description=f"Reads frontal chest X-rays. **{DISCLAIMER}**",
    )
    problems.install(app)
    # An image has its own limit; a form is a little larger than its image.
    one = settings.max_image_bytes + _FORM_OVERHEAD_BYTES

    @app.get("/", include_in_schema=False)
    def index() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.post(
        "/v1/analyses",
        response_model=Analysis,
        responses=_RESPONSES | {200: _PNG},
        openapi_extra={"requestBody": _BODY},
    )
    async def analyse(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> Any:
        """Analyses one image; with `Accept: image/png` the answer is the heatmap over it."""
        drawn = request.headers.get("accept", "").startswith("image/png")
        with admission.admit(images=1) as ticket:
            async with _deadline(timeout_ms, settings):
                uploads = await read_uploads(request, ticket, max_images=1, max_bytes=one)
                heatmap = options.heatmap == "cam" or drawn
                (job,) = await pipeline.analyse(uploads, heatmap=heatmap, picture=drawn)
            analysis = _answer(request, job)
            return Response(await pipeline.draw(job), media_type="image/png") if drawn else analysis

    @app.post(
        "/v1/analyses/batch",
        response_model=BatchAnalysis,
        responses=_RESPONSES,
        openapi_extra={"requestBody": _BATCH_BODY},
    )
    async def analyse_batch(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> BatchAnalysis:
        """Analyses several images; each gets a result or a problem of its own, in order."""
        limit = settings.max_images_per_batch
        with admission.admit(images=limit) as ticket:
            async with _deadline(timeout_ms, settings):
                uploads = await read_uploads(
                    request, ticket, max_images=limit, max_bytes=settings.max_batch_bytes
                )
                jobs = await pipeline.analyse(uploads, heatmap=options.heatmap == "cam")
        return BatchAnalysis(results=[_result(request, job) for job in jobs])

    @app.get("/v1/models", responses=_FAILURE)
    def models() -> Models:
        """Says what is served and how well it did when it was measured."""
        served = (pipeline.xray_filter, pipeline.covid_classifier)
        shown = set(Model.model_fields) - {"digest"}
        return Models(
            models=[Model(digest=s.digest, **s.card.model_dump(include=shown)) for s in served]
        )

    return app


def _deadline(timeout_ms: int | None, settings: Settings) -> "_Deadline":
    seconds = settings.request_timeout_seconds
    return _Deadline(min(seconds, timeout_ms / 1000) if timeout_ms else seconds)


class _Deadline:
    """Ends what takes too long with 504."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._timeout = seconds, asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *exception: Any) -> None:
        try:
            await self._timeout.__aexit__(*exception)
        except TimeoutError as error:
            raise RequestProblem(
                HTTPStatus.GATEWAY_TIMEOUT,
                "deadline-exceeded",
                f"there was no answer within {self._seconds:g} s",
            ) from error


def _answer(request: Request, job: Job) -> Analysis:
    request.scope["state"]["timing"] = job.milliseconds
    if isinstance(job.error, NotAnXRay):
        request.scope["state"]["outcome"] = "rejected"
    return job.result


def _result(request: Request, job: Job) -> Analysis | Problem:
    try:
        return job.result
    except AnalysisError as error:
        return problems.problem_of(error, request.scope["state"]["request_id"])


_FILE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _FILE}}
        },
        "application/octet-stream": {"schema": _FILE},
    }
    | {media_type: {"schema": _FILE} for media_type in MEDIA_TYPES.values()},
}
_BATCH_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "array", "items": _FILE}},
            }
        }
    },
}
_PNG = {"content": {"image/png": {"schema": _FILE}}}
_REASONS = {
    400: "The request is malformed",
    413: "Too many bytes or pixels",
    415: "Not an image format that is read here",
    422: "The image cannot be read, or is no upright frontal chest X-ray",
    500: "The service failed",
    503: "The service is at its capacity; see Retry-After",
    504: "The deadline passed",
}
_PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": reason, "content": _PROBLEM} for status, reason in _REASONS.items()
}
_FAILURE: dict[int | str, dict[str, Any]] = {500: _RESPONSES[500]}
