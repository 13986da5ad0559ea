"""The OpenAPI document: what is really taken and answered, so that generated clients work."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from bentos.gateway import examples
from bentos.gateway.uploads import FIELD
from bentos.http.codes import CODES
from bentos.http.negotiation import JSON
from bentos.http.problems import MEDIA_TYPE
from bentos.settings import Settings

TAGS: list[dict[str, Any]] = [
    {"name": "analyses", "description": "Images in, findings out. Nothing is stored."},
    {"name": "service", "description": "What is served, how good it is, and what it takes."},
]
_FORM, _BYTES = "multipart/form-data", "application/octet-stream"
# OpenAPI 3.1 says it in the second way; many generators read only the first.
BINARY = {"type": "string", "format": "binary", "contentMediaType": _BYTES}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names the request in the operator's log: the caller's own, or a new one",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Server-Timing": {
        "description": "Milliseconds of each stage (W3C Server Timing)",
        "schema": {"type": "string"},
    },
    "Vary": {"description": "The answer depends on Accept", "schema": {"type": "string"}},
    "Accept-Encoding": {
        "description": "What a Content-Encoding may be, where that was wrong (RFC 9110, 15.5.16)",
        "schema": {"type": "string"},
    },
}
_HEADERS_OF: dict[int, tuple[str, ...]] = {
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("Accept-Encoding",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def complete(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of an app that has all of its routes; only its servers are left out."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        _leave_out_titles(schema)
    schemas["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ProblemCode"}
    many = {"minItems": 1, "maxItems": settings.max_images_per_batch}
    schemas |= {
        "ProblemCode": {"type": "string", "enum": _public_codes()},
        "ImageForm": _form(BINARY),
        "ImagesForm": _form({"type": "array", "items": BINARY} | many),
    }
    document["components"]["headers"] = _HEADERS
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    # FastAPI's own 422; here a bad parameter is a 400.
    if JSON in operation["responses"].get("422", {}).get("content", {}):
        del operation["responses"]["422"]
    for status, response in operation["responses"].items():
        names = ("X-Request-ID", *_HEADERS_OF.get(int(status), ()))
        found = response.setdefault("headers", {})
        found |= {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    # FastAPI would leave out the nulls of an example.
    example = examples.ANSWERS.get(operation["operationId"])
    if example:
        operation["responses"]["200"]["content"][JSON]["example"] = example


def _leave_out_titles(schema: dict[str, Any]) -> None:
    """Titles that Pydantic makes of names say nothing, and generators make classes of them."""
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)


def _form(file: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [FIELD],
        "properties": {FIELD: file},
        "additionalProperties": False,
    }


def _public_codes() -> list[str]:
    return sorted(name for name, code in CODES.items() if code.public)


def body(form: str, *, route: str) -> dict[str, Any]:
    """Describes the body of a route that takes images, by the name of its form's schema."""
    content = {
        _FORM: {"schema": {"$ref": f"#/components/schemas/{form}"}},
        _BYTES: {"schema": BINARY},
    }
    described = "The file in a form, or its bytes alone, also with the media type of the image"
    return {
        "requestBody": {"required": True, "description": described, "content": content},
        "x-codeSamples": [{"lang": "Shell", "source": f"curl -F image=@chest.png .{route}"}],
    }


def answer(description: str, *headers: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    """Describes the 200 of a route."""
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return {HTTPStatus.OK.value: {"description": description, "headers": named} | more}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describes the problems of a route, with the codes that have each status."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    codes = [name for name in _public_codes() if CODES[name].status == status]
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {
            code: {"summary": CODES[code].meaning, "value": examples.problem(code)}
            for code in codes
        },
    }
    described = f"{HTTPStatus(status).phrase}; `code` is one of: {', '.join(codes)}"
    return {"description": described, "content": {MEDIA_TYPE: content}}
