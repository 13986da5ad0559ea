"""Routes that analyse images."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.admission.control import Admission, Ticket
from bentos.callers.caller import Scope
from bentos.gateway import documents, objects, openapi
from bentos.gateway.image_task import Heatmaps, ImageTask
from bentos.gateway.keeping import ANALYSES, Keeping, Kept
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload, read_uploads
from bentos.http import problems
from bentos.http.deadline import Deadline, while_connected
from bentos.http.negotiation import DICOM, FHIR, JSON, PNG, RELATED, TEXT, VARY, acceptable
from bentos.http.request_state import state_of
from bentos.settings import Settings
from chestxray.errors import AnalysisError
from chestxray.results import Analysis, BatchAnalysis, Problem

PATHS = (ANALYSES, f"{ANALYSES}/batch")
"""The routes under admission control: single images, and batches."""

_MAX_TIMEOUT_MS = 24 * 60 * 60 * 1000
"""A day; a longer timeout is probably a mistake."""

_SCOPES = {False: (Scope.ANALYSE,), True: (Scope.ANALYSE, Scope.HISTORY)}
"""What a caller needs to analyse an image, and to keep the analysis, too."""
_ANSWERS = (JSON, PNG, DICOM, RELATED, *documents.MEDIA_TYPES)
"""Media types of the answer to one image."""

_FORM_OVERHEAD_BYTES = 64 * 1024
"""Allowance for boundaries and part headers, in addition to the limit on the image."""


class Options(BaseModel):
    """Query parameters of an analysis."""

    model_config = ConfigDict(extra="forbid")

    heatmap: Heatmaps = Field(
        "cam",
        description="Class activation maps to return: most probable class, all classes, or none. A "
        "FHIR Bundle has the picture of the most probable class where this is given and not none",
        examples=["none"],
    )

    @property
    def picture_asked(self) -> bool:
        """Whether a caller who may have a picture or not asks for it: the default does not."""
        return "heatmap" in self.model_fields_set and self.heatmap != "none"


class KeepingOptions(Options):
    """Query parameters of the analysis of one image."""

    keep: bool = Field(
        False,
        description="Whether the service keeps the analysis, the picture and the drawn heatmap, "
        "until they are deleted or expire; a kept analysis always has a heatmap",
        examples=[False],
    )


IdempotencyKey = Annotated[
    Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="A name of the request, unique for its caller: with `keep`, a retry with the "
        "same name returns what the first request has kept",
        examples=["6f1c2a9e-0d5b-4f43-9a35-0c2b8a8d7a11"],
    ),
]
Milliseconds = Annotated[int, Field(gt=0, le=_MAX_TIMEOUT_MS)]
Timeout = Annotated[
    Milliseconds | SkipJsonSchema[None],  # an optional header cannot be null
    Header(
        alias="X-Request-Timeout-Ms",
        description="Deadline in milliseconds; the service's own deadline applies if it is earlier",
        examples=[10_000],
    ),
]


def create_router(
    pipeline: Pipeline, admission: Admission, settings: Settings, keeping: Keeping
) -> APIRouter:
    """Builds the routes."""
    router = APIRouter(tags=["analyses"])

    @router.post(PATHS[0], response_model=Analysis, **_ONE)
    async def analyse_image(
        request: Request,
        response: Response,
        answer: Annotated[str, Depends(acceptable(*_ANSWERS))],
        options: Annotated[KeepingOptions, Query()],
        timeout_ms: Timeout = None,
        key: IdempotencyKey = None,
    ) -> Any:
        """Analyses one image. The `Accept` header selects the response: `application/json` (the
        default); `image/png`, the heatmap drawn over the image; `application/fhir+json`, a Bundle
        with a DiagnosticReport (R4, or R5 by `fhirVersion=5.0`; with the heatmap's picture by
        `heatmap=cam`); `text/plain`, a paragraph for the patient's chart; or, for a DICOM image,
        `application/dicom`, a structured report for its study, and `multipart/related` with the
        report, the heatmap as a secondary capture, and its outlines as a presentation state.
        `Accept-Language` selects `en`, `pt-BR` or `es`."""
        heatmap: Heatmaps = options.heatmap if answer == JSON else "cam"
        picture = answer == PNG or (answer in documents.BUNDLES and options.picture_asked)
        limit = settings.max_image_bytes + _FORM_OVERHEAD_BYTES
        caller = await keeping.caller(request, *_SCOPES[options.keep])
        allowance = await keeping.quotas.allowance(request, caller)
        with admission.admit(state_of(request.scope).caller) as ticket:
            async with Deadline(timeout_ms, settings):
                (upload,) = await _read(settings, request, ticket, max_images=1, max_bytes=limit)
                objects.check(upload.data, answer)
                await allowance.spend(1)
                async with while_connected(request):
                    kept: Kept | None = None
                    if options.keep:
                        task, kept = await keeping.analyse(upload, caller, heatmap=heatmap, key=key)
                    else:
                        task = await pipeline.analyse_one(upload, heatmap=heatmap, picture=picture)
                    state_of(request.scope).timing = task.milliseconds
                    made = await _respond(pipeline, task, request, answer, picture=picture)
                    if kept:
                        target = made if isinstance(made, Response) else response
                        keeping.announce(target, request, kept)
                    return made

    _add_batch(router, pipeline, admission, settings, keeping)
    return router


def _add_batch(
    router: APIRouter,
    pipeline: Pipeline,
    admission: Admission,
    settings: Settings,
    keeping: Keeping,
) -> None:
    @router.post(PATHS[1], response_model=BatchAnalysis, **_BATCH)
    async def analyse_batch(
        request: Request, options: Annotated[Options, Query()], timeout_ms: Timeout = None
    ) -> BatchAnalysis:
        """Analyses several images, each in its own field `image`. Returns an analysis or a problem
        for each, in the same order."""
        most, limit = settings.max_images_per_batch, settings.max_batch_bytes
        caller = await keeping.caller(request, Scope.ANALYSE)
        allowance = await keeping.quotas.allowance(request, caller)
        with admission.admit(state_of(request.scope).caller) as ticket:
            async with Deadline(timeout_ms, settings):
                uploads = await _read(settings, request, ticket, max_images=most, max_bytes=limit)
                await allowance.spend(len(uploads))
                async with while_connected(request):
                    tasks = await pipeline.analyse(uploads, heatmap=options.heatmap)
        return BatchAnalysis(results=[_result(request, task) for task in tasks])


async def _read(
    settings: Settings, request: Request, ticket: Ticket, **bounds: int
) -> list[Upload]:
    return await read_uploads(request, ticket, pause=settings.body_timeout_seconds, **bounds)


async def _respond(
    pipeline: Pipeline, task: ImageTask, request: Request, answer: str, *, picture: bool
) -> Any:
    """Returns the analysis in the media type that was negotiated. Raises the task's error."""
    if answer == JSON:
        return task.result
    if answer == PNG:
        return Response(await pipeline.draw(task), headers=VARY, media_type=PNG)
    if answer in documents.MEDIA_TYPES:
        return await documents.respond(pipeline, task, request, answer, picture=picture)
    return await objects.respond(pipeline, task, request, answer)


def _result(request: Request, task: ImageTask) -> Analysis | Problem:
    try:
        return task.result
    except AnalysisError as error:
        return problems.problem_of(error, state_of(request.scope).request_id)


_ONE: dict[str, Any] = {
    "summary": "Analyse an image",
    "openapi_extra": openapi.body("ImageForm", route=PATHS[0]),
    "responses": openapi.answer(
        "The analysis, the image with the heatmap, a FHIR Bundle, the text for the chart, or DICOM "
        "objects for the image's study",
        "Server-Timing",
        "Vary",
        content={each: {"schema": openapi.BINARY} for each in (PNG, DICOM, RELATED)}
        | {FHIR: {"schema": {"type": "object"}}, TEXT: {"schema": {"type": "string"}}},
    )
    | openapi.created("The analysis, which is kept; in any of the same forms")
    | openapi.problems(400, 401, 403, 406, 408, 409, 413, 415, 422, 429, 500, 503, 504),
}
_BATCH: dict[str, Any] = {
    "summary": "Analyse several images",
    "dependencies": [Depends(acceptable(JSON))],
    "openapi_extra": openapi.body("ImagesForm", route=PATHS[1]),
    # A problem with one image is part of the result; only one with the request is a status.
    "responses": openapi.answer("An analysis or a problem for each image", "Vary")
    | openapi.problems(400, 401, 403, 406, 408, 413, 415, 429, 500, 503, 504),
}
