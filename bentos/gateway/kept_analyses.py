"""Routes of kept analyses: each caller sees its own, and cannot tell another's from none."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.audit.trail import Event, Outcome
from bentos.callers.caller import Scope
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


class _Access:
    """Who may see what; its methods are dependencies of the routes."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self.history = keeping.history

    async def owner(self, request: Request) -> str:
        """Returns what the caller's analyses are kept under. Raises RequestProblem."""
        return (await self._keeping.caller(request, Scope.HISTORY)).owner

    async def found(self, request: Request, identifier: Identifier) -> Record:
        """Returns one of the caller's analyses. Raises RequestProblem."""
        owner = await self.owner(request)
        with translated():
            record = await self.history.archive.get(owner, identifier.hex)
        if record is None:
            self.note(owner, Event.READ, outcome=Outcome.NOT_FOUND, analysis=identifier.hex)
            raise _no_such_analysis()
        return record

    def note(self, owner: str, event: Event, **about: Any) -> None:
        """Adds a line to the audit trail."""
        self.history.trail.record(event, owner, **about)


def create_router(pipeline: Pipeline, keeping: Keeping) -> APIRouter:
    """Builds the routes of a service that keeps analyses."""
    router, access = APIRouter(tags=["history"]), _Access(keeping)
    _add_all(router, access)
    _add_one(router, access, pipeline)
    _add_picture(
        router, access, IMAGE, "The film that was analysed: 8-bit grey, without any header"
    )
    _add_picture(router, access, HEATMAP, "The heatmap drawn over the film")
    return router


def _add_all(router: APIRouter, access: _Access) -> None:
    Owner = Annotated[str, Depends(access.owner)]

    @router.get(ANALYSES, response_model=KeptAnalyses, **_LIST)
    async def list_analyses(
        owner: Owner, response: Response, page: Annotated[Page, Query()]
    ) -> KeptAnalyses:
        """Lists the caller's kept analyses, newest first."""
        after = Position.decode(page.cursor) if page.cursor else None
        with translated():
            records = await access.history.archive.page(owner, after=after, limit=page.limit + 1)
        shown, following = records[: page.limit], None
        if len(records) > page.limit:
            following = Position(shown[-1].result.created_at, shown[-1].id).encode()
            target = f"{prefix.get()}{ANALYSES}?limit={page.limit}&cursor={following}"
            response.headers["Link"] = f'<{target}>; rel="next"'
        access.note(owner, Event.LISTED, analyses=[each.id for each in shown])
        return KeptAnalyses(analyses=[_summary(each) for each in shown], next=following)

    @router.delete(ANALYSES, response_model=Deleted, **_DELETE_ALL)
    async def delete_analyses(owner: Owner) -> Deleted:
        """Deletes all of the caller's kept analyses. Nobody can read them from then on; the
        pictures are deleted within minutes."""
        with translated():
            deleted = await access.history.archive.delete_all(owner)
        access.history.sweep_soon()
        access.note(owner, Event.DELETED_ALL, count=deleted)
        return Deleted(deleted=deleted)


def _add_one(router: APIRouter, access: _Access, pipeline: Pipeline) -> None:
    @router.get(_ONE, response_model=Analysis, **_GET)
    async def get_analysis(
        record: Annotated[Record, Depends(access.found)],
        request: Request,
        answer: Annotated[str, Depends(acceptable(JSON, *documents.MEDIA_TYPES))],
    ) -> Any:
        """Returns a kept analysis, as JSON, FHIR Bundle or text for the chart. DICOM objects are
        only written when the image is sent: no DICOM header is kept."""
        analysis: Any = shown(record)
        if answer != JSON:
            task = ImageTask(Upload(b"", None), analysis=analysis)
            analysis = await documents.respond(pipeline, task, request, answer, picture=False)
        access.note(record.owner, Event.READ, analysis=record.id)
        return analysis

    @router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_DELETE)
    async def delete_analysis(
        owner: Annotated[str, Depends(access.owner)], identifier: Identifier
    ) -> None:
        """Deletes a kept analysis with its pictures."""
        with translated():
            deleted = await access.history.archive.delete(owner, identifier.hex)
        outcome = Outcome.SUCCESS if deleted else Outcome.NOT_FOUND
        access.note(owner, Event.DELETED, outcome=outcome, analysis=identifier.hex)
        if not deleted:
            raise _no_such_analysis()


def _add_picture(router: APIRouter, access: _Access, part: str, described: str) -> None:
    async def get_picture(
        record: Annotated[Record, Depends(access.found)],
        answer: Annotated[str, Depends(acceptable(PNG))],
    ) -> Response:
        with translated():
            data = await access.history.archive.picture(record, part)
        if data is None:  # it was deleted at this moment
            raise _no_such_analysis()
        access.note(record.owner, Event.PICTURE_READ, analysis=record.id, picture=part)
        return Response(data, media_type=PNG)

    responses = openapi.answer(described, content={PNG: {"schema": openapi.BINARY}})
    router.add_api_route(
        f"{_ONE}/{part}",
        get_picture,
        name=f"get_{part}",
        summary=f"Get the {part} of a kept analysis",
        description=described,
        response_class=Response,
        responses=responses | _PROBLEMS,
    )


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
