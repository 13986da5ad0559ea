"""The route that makes a visitor known before there is anything that it owns."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from bentos.callers.caller import Scope
from bentos.gateway import openapi
from bentos.gateway.keeping import Keeping

VISITORS = "/v1/visitors"
_INTRODUCE: dict[str, Any] = {
    "summary": "Introduce a visitor",
    "responses": openapi.problems(401, 403, 500, 503),
}


def create_router(keeping: Keeping) -> APIRouter:
    """Builds the route."""
    router = APIRouter(tags=["history"])

    @router.post(VISITORS, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_INTRODUCE)
    async def introduce_visitor(request: Request, response: Response) -> None:
        """Gives a caller without an API key the cookie that its jobs and kept analyses are known
        by. They set it, too; but where the response to the first of them is lost on its way, the
        visitor could neither repeat the request for free nor delete what it has made."""
        caller, cookie = keeping.introduced(await keeping.caller(request, Scope.HISTORY))
        keeping.remember(response, request, caller, cookie)

    return router
