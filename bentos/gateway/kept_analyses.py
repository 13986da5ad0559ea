"""Routes of kept analyses: each caller sees its own, and cannot tell another's from none."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.audit.trail import Event, Outcome
from bentos.callers.caller import Caller, Scope
from bentos.gateway import documents, examples, openapi
from bentos.gateway.image_task import ImageTask
from bentos.gateway.keeping import ANALYSES, Keeping, shown, translated
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload
from bentos.history.archive import HEATMAP, IMAGE
from bentos.history.records import CURSOR, Position, Record
from bentos.http.negotiation import JSON, PNG, acceptable
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from chestxray.results import Analysis, Deleted, KeptAnalyses, KeptAnalysis

_ONE = f"{ANALYSES}/{{id:uuid}}"
_MAX_PAGE = 100

Identifier = Annotated[
    UUID,
    Path(alias="id", description="`id` of the analysis", examples=[examples.ID]),
]


class Page(BaseModel):
    """Query parameters of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=_MAX_PAGE, description="Most analyses in the response")
    cursor: Annotated[str, Field(pattern=CURSOR)] | SkipJsonSchema[None] = Field(
        None, description="`next` of the page before; the first page without it"
    )


def create_router(pipeline: Pipeline, keeping: Keeping) -> APIRouter:
    """Builds the routes."""
    router = APIRouter(tags=["history"])

    async def authorised(request: Request) -> Caller:
        return await keeping.caller(request, Scope.HISTORY)

    Owner = Annotated[Caller, Depends(authorised)]

    def note(caller: Caller, event: Event, **about: Any) -> None:
        keeping.history.trail.record(event, caller.owner, **about)

    async def found(caller: Owner, identifier: Identifier) -> Record:
        with translated():
            record = await keeping.history.archive.get(caller.owner, identifier.hex)
        if record is None:
            note(caller, Event.READ, outcome=Outcome.NOT_FOUND, analysis=identifier.hex)
            raise _no_such_analysis()
        return record

    Found = Annotated[Record, Depends(found)]

    @router.get(ANALYSES, response_model=KeptAnalyses, **_LIST)
    async def list_analyses(
        caller: Owner, response: Response, page: Annotated[Page, Query()]
    ) -> KeptAnalyses:
        """Lists the caller's kept analyses, newest first."""
        with translated():
            records = await keeping.history.archive.page(
                caller.owner,
                after=Position.decode(page.cursor) if page.cursor else None,
                limit=page.limit + 1,
            )
        more = len(records) > page.limit
        records = records[: page.limit]
        following = (
            Position(records[-1].result.created_at, records[-1].id).encode() if more else None
        )
        if following:
            target = f"{prefix.get()}{ANALYSES}?limit={page.limit}&cursor={following}"
            response.headers["Link"] = f'<{target}>; rel="next"'
        note(caller, Event.LISTED, analyses=[each.id for each in records])
        return KeptAnalyses(analyses=[_summary(each) for each in records], next=following)

    @router.delete(ANALYSES, response_model=Deleted, **_DELETE_ALL)
    async def delete_analyses(caller: Owner) -> Deleted:
        """Deletes all of the caller's kept analyses. Nobody can read them from then on; the
        pictures are deleted within minutes."""
        with translated():
            deleted = await keeping.history.archive.delete_all(caller.owner)
        keeping.history.sweep_soon()
        note(caller, Event.DELETED_ALL, count=deleted)
        return Deleted(deleted=deleted)

    @router.get(_ONE, response_model=Analysis, **_GET)
    async def get_analysis(
        caller: Owner,
        record: Found,
        request: Request,
        answer: Annotated[str, Depends(acceptable(JSON, *documents.MEDIA_TYPES))],
    ) -> Any:
        """Returns a kept analysis, as JSON, FHIR Bundle or text for the chart. DICOM objects are
        only written when the image is sent: no DICOM header is kept."""
        analysis: Any = shown(record)
        if answer != JSON:
            task = ImageTask(Upload(b"", None), analysis=analysis)
            analysis = await documents.respond(pipeline, task, request, answer, picture=False)
        note(caller, Event.READ, analysis=record.id)
        return analysis

    @router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_DELETE)
    async def delete_analysis(caller: Owner, identifier: Identifier) -> None:
        """Deletes a kept analysis with its pictures."""
        with translated():
            deleted = await keeping.history.archive.delete(caller.owner, identifier.hex)
        outcome = Outcome.SUCCESS if deleted else Outcome.NOT_FOUND
        note(caller, Event.DELETED, outcome=outcome, analysis=identifier.hex)
        if not deleted:
            raise _no_such_analysis()

    def add_picture(part: str, name: str, described: str) -> None:
        async def get_picture(
            caller: Owner, record: Found, answer: Annotated[str, Depends(acceptable(PNG))]
        ) -> Response:
            with translated():
                data = await keeping.history.archive.picture(record, part)
            if data is None:  # it was deleted at this moment
                raise _no_such_analysis()
            note(caller, Event.PICTURE_READ, analysis=record.id, picture=part)
            return Response(data, media_type=PNG)

        responses = openapi.answer(described, content={PNG: {"schema": openapi.BINARY}})
        router.add_api_route(
            f"{_ONE}/{part}",
            get_picture,
            name=name,
            summary=f"Get the {part} of a kept analysis",
            description=described,
            response_class=Response,
            responses=responses | _PROBLEMS,
        )

    add_picture(IMAGE, "get_image", "The film that was analysed: 8-bit grey, without any header")
    add_picture(HEATMAP, "get_heatmap", "The heatmap drawn over the film")
    return router


def _summary(record: Record) -> KeptAnalysis:
    shared = set(KeptAnalysis.model_fields) - {"expires_at"}
    values = {name: getattr(record.result, name) for name in shared}
    return KeptAnalysis(expires_at=record.expires_at, **values)


def _no_such_analysis() -> RequestProblem:
    detail = "no such analysis is kept for this caller: it never was, was deleted or has expired"
    return RequestProblem(HTTPStatus.NOT_FOUND, "no-such-analysis", detail)


_PROBLEMS = openapi.problems(400, 401, 403, 404, 406, 500, 503)
_LIST: dict[str, Any] = {
    "summary": "List kept analyses",
    "dependencies": [Depends(acceptable(JSON))],
    "responses": openapi.answer("Some of the analyses", "Link", "Vary")
    | openapi.problems(400, 401, 403, 406, 500, 503),
}
_DELETE_ALL: dict[str, Any] = {
    "summary": "Delete all kept analyses",
    "responses": openapi.answer("How many were deleted") | openapi.problems(401, 403, 500, 503),
}
_GET: dict[str, Any] = {
    "summary": "Get a kept analysis",
    "responses": openapi.answer("The analysis", "Vary") | _PROBLEMS,
}
_DELETE: dict[str, Any] = {
    "summary": "Delete a kept analysis",
    "responses": openapi.problems(400, 401, 403, 404, 500, 503),
}
