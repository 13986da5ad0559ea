"""Converts every error to problem+json (RFC 9457)."""

from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from bentos.http.codes import CODES, PAGE
from bentos.http.prefix import prefix
from bentos.http.request_state import state_of
from bentos.metric_labels import Outcome
from chestxray import errors
from chestxray.results import Problem

MEDIA_TYPE = "application/problem+json"
PROTOCOL = "/v2"
"""Paths of the Open Inference Protocol, whose errors have a member `error`."""
names_error: ContextVar[bool] = ContextVar("names_error", default=False)
"""Whether the request is one of that protocol."""
CLIENT_CLOSED_REQUEST = 499
"""nginx's non-standard status for a client that disconnected before the response."""

_CODE_OF = {
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
}
_DETAIL_OF = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path; {docs} lists all paths",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not support this method; Allow lists others",
}
_RETRY_SECONDS = 1
"""Retry-After while a model is down; it is usually restarted or replaced by then."""


class RequestProblem(Exception):
    """The request is rejected because of its form, or because the service is at capacity."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = headers or {}, more


_OUTCOME_OF: dict[type[errors.AnalysisError], Outcome] = {
    errors.NotAnXRay: Outcome.REJECTED,
    errors.ModelUnavailable: Outcome.SERVER_ERROR,
}
"""Outcomes that the status does not imply: a rejection by the filter, and an outage that is not
shedding."""


def problem_of(error: errors.AnalysisError, request_id: str) -> Problem:
    """Converts an error of the core."""
    codes = [getattr(kind, "code", "") for kind in type(error).__mro__]
    status = next(CODES[code].status for code in codes if code in CODES)
    more: dict[str, Any] = {}
    if isinstance(error, errors.NotAnXRay):
        more["filter"] = error.result
    if isinstance(error, errors.ImageTooLarge):
        more["limit"] = error.limit
    if isinstance(error, errors.RejectedImage) and error.found:
        more["found"] = error.found
    return _problem(status, error.code, str(error), request_id, **more)


def _problem(status: HTTPStatus, code: str, detail: str, request_id: str, **more: Any) -> Problem:
    return Problem(
        type=f"{prefix.get()}{PAGE}#{code}",
        title=code.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        **more,
    )


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    body = problem.model_dump(mode="json", exclude_none=True)
    if names_error.get():
        body["error"] = problem.detail
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def _request_id(request: Request) -> str:
    return state_of(request.scope).request_id


def internal_error(request_id: str) -> JSONResponse:
    """Returns the 500 response, without any internal detail."""
    detail = "internal error; report the request_id"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _answer(_problem(status, "internal-error", detail, request_id))


def refused(error: RequestProblem, request_id: str) -> JSONResponse:
    """Returns the response to a RequestProblem."""
    problem = _problem(error.status, error.code, error.detail, request_id, **error.more)
    return _answer(problem, error.headers)


def drained(request_id: str) -> JSONResponse:
    """Returns the response to requests after the drain delay."""
    detail = "the service is shutting down; try again"
    problem = _problem(HTTPStatus.SERVICE_UNAVAILABLE, "draining", detail, request_id)
    return _answer(problem, {"Retry-After": str(_RETRY_SECONDS)})


def _invalid(error: dict[str, Any]) -> str:
    """Describes a validation error; does not echo the name of an unknown parameter."""
    place, *name = error["loc"]
    if error["type"] == "extra_forbidden":
        return f"the {place} has an unknown parameter; /docs lists the known ones"
    return f"{place} parameter {name[0]}: {error['msg'].lower()}"


def install(app: FastAPI) -> None:
    """Installs exception handlers that return problems."""

    @app.exception_handler(errors.AnalysisError)
    def on_analysis_error(request: Request, error: errors.AnalysisError) -> JSONResponse:
        problem = problem_of(error, _request_id(request))
        state_of(request.scope).outcome = _OUTCOME_OF.get(type(error))
        unavailable = problem.status == HTTPStatus.SERVICE_UNAVAILABLE
        return _answer(problem, {"Retry-After": str(_RETRY_SECONDS)} if unavailable else None)

    @app.exception_handler(RequestProblem)
    def on_request_problem(request: Request, error: RequestProblem) -> JSONResponse:
        return refused(error, _request_id(request))

    @app.exception_handler(RequestValidationError)
    def on_invalid_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = _invalid(error.errors()[0])
        problem = _problem(
            HTTPStatus.BAD_REQUEST, "invalid-parameter", detail, _request_id(request)
        )
        return _answer(problem)

    @app.exception_handler(ClientDisconnect)
    def on_disconnect(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)  # only for the metrics

    @app.exception_handler(Exception)
    def on_anything_else(request: Request, error: Exception) -> JSONResponse:
        return internal_error(_request_id(request))  # RequestMiddleware logs it

    @app.exception_handler(HTTPException)
    def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        code = _CODE_OF.get(status, "malformed-request")
        detail = _DETAIL_OF.get(status, str(error.detail)).replace("{docs}", f"{prefix.get()}/docs")
        problem = _problem(status, code, detail, _request_id(request))
        return _answer(problem, dict(error.headers or {}))
