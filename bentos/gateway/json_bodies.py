"""Reads small bodies of JSON: bounded, and with problems that do not quote what was sent."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Request
from multipart import parse_options_header
from pydantic import BaseModel, ValidationError

from bentos.gateway.uploads import bounded, check_encoding
from bentos.http.negotiation import JSON
from bentos.http.problems import RequestProblem

_MAX_BYTES = 8 * 1024
"""Several times the longest name or address."""

Body = TypeVar("Body", bound=BaseModel)


async def read(request: Request, model: type[Body], *, pause: float) -> Body:
    """Reads a body; `pause` is the time in which some of it must arrive. Raises RequestProblem."""
    check_encoding(request)
    media_type, _ = parse_options_header(request.headers.get("content-type", ""))
    if media_type != JSON:
        raise RequestProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f"the Content-Type is not {JSON}; send the body as JSON",
            headers={"Accept": JSON},
        )
    body = bytearray()
    async for chunk in bounded(request, max_bytes=_MAX_BYTES, pause=pause, count=lambda size: None):
        body += chunk
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        status, code = HTTPStatus.BAD_REQUEST, "invalid-parameter"
        raise RequestProblem(status, code, _described(error)) from error


def _described(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "the body has an unknown member; /docs lists the known ones"
    member = first["loc"][0] if first["loc"] else ""
    where = f"member {member} of the body" if member else "the body"
    return f"{where}: {first['msg'].lower()}"
