"""Completes FastAPI's OpenAPI document with actual bodies and errors, so that generated clients
work."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from bentos.callers.sessions import COOKIE
from bentos.gateway import examples
from bentos.gateway.uploads import FIELD
from bentos.http.codes import CODES
from bentos.http.negotiation import JSON, RELATED
from bentos.http.problems import MEDIA_TYPE
from bentos.settings import Settings

TAGS: list[dict[str, Any]] = [
    {"name": "analyses", "description": "Images in, findings out. Nothing is stored unless asked."},
    {"name": "history", "description": "What was kept for the caller. Nobody else sees it."},
    {"name": "jobs", "description": "Many images, which are analysed when there is capacity."},
    {"name": "webhooks", "description": "URLs to which the ends of the caller's jobs are sent."},
    {"name": "keys", "description": "API keys, for callers with the scope admin."},
    {"name": "storage", "description": "DICOMweb: objects for the queue of the DICOM node."},
    {"name": "service", "description": "Models, metrics, limits and examples."},
]
KEEPING = ("keep", "Idempotency-Key")
"""Parameters of an analysis that is kept."""
_KEEPING_STATUSES = (
    HTTPStatus.CREATED,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
)
_SIGN_IN_TAG = {"name": "sign-in", "description": "People sign in with a browser."}
_KEY, _SESSION = "apiKey", "session"
_COOKIE = {
    "type": "apiKey",
    "in": "cookie",
    "name": COOKIE,
    "description": "The session of a person, on the service's own page alone",
}
_FOR_ALL = "get_caller"
"""It tells those without a key what they may do: nothing, maybe."""
_FORM, _BYTES = "multipart/form-data", "application/octet-stream"
# contentMediaType is OpenAPI 3.1; many generators only support format: binary.
BINARY = {"type": "string", "format": "binary", "contentMediaType": _BYTES}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "ID of the request in the operator's log: the client's own, or a new one",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before a retry",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Server-Timing": {
        "description": "Milliseconds of each stage (W3C Server Timing)",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Address of what was kept",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750)",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'The next page, rel="next" (RFC 8288); absent on the last',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of the quota; absent where the caller has none "
        "(draft-ietf-httpapi-ratelimit-headers-11)",
        "schema": {"type": "string", "example": '"images";r=43;t=12'},
    },
    "RateLimit-Policy": {
        "description": "The quota: images that the caller may send in so many seconds",
        "schema": {"type": "string", "example": '"images";q=60;w=60'},
    },
    "Vary": {"description": "The response depends on Accept", "schema": {"type": "string"}},
    "Accept-Encoding": {
        "description": "Supported Content-Encodings (RFC 9110, 15.5.16)",
        "schema": {"type": "string"},
    },
}
_HEADERS_OF: dict[int, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.CONFLICT: ("Retry-After",),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("Accept-Encoding",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}
_QUOTA_HEADERS = ("RateLimit", "RateLimit-Policy")
"""Of every response of an operation that a quota applies to."""


def complete(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """Returns the document of an app with all of its routes, without `servers`."""
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
    if settings.keeps:
        most = {"minItems": 1, "maxItems": settings.max_job_images}
        schemas["JobForm"] = _form({"type": "array", "items": BINARY} | most)
    document["components"]["headers"] = _HEADERS
    document["components"]["securitySchemes"] = {
        _KEY: {"type": "http", "scheme": "bearer", "description": "An API key of the operator's"}
    }
    if settings.signs_in:
        document["tags"].append(_SIGN_IN_TAG)
        document["components"]["securitySchemes"][_SESSION] = _COOKIE
    for operations in document["paths"].values():
        for operation in operations.values():
            if not settings.keeps:
                _leave_out_keeping(operation)
            if not (settings.keeps or settings.visitor_images_per_minute):  # a key has a quota
                operation["responses"].pop(str(HTTPStatus.TOO_MANY_REQUESTS.value), None)
            _complete(operation)
            if "401" in operation["responses"]:
                operation["security"] = _security(operation, settings)
    return document


def _security(operation: dict[str, Any], settings: Settings) -> list[dict[str, list[str]]]:
    """Returns what may authorise an operation; the empty one means that nothing needs to."""
    known: list[dict[str, list[str]]] = [{_KEY: []}]
    known += [{_SESSION: []}] if settings.signs_in else []
    is_optional = settings.anonymous or operation["operationId"] == _FOR_ALL
    return known + ([{}] if is_optional else [])


def _complete(operation: dict[str, Any]) -> None:
    # FastAPI's 422; here an invalid parameter is a 400.
    if JSON in operation["responses"].get("422", {}).get("content", {}):
        del operation["responses"]["422"]
    counted = str(HTTPStatus.TOO_MANY_REQUESTS.value) in operation["responses"]
    for status, response in operation["responses"].items():
        names = ("X-Request-ID", *_HEADERS_OF.get(int(status), ()))
        names += _QUOTA_HEADERS if counted else ()
        found = response.setdefault("headers", {})
        found |= {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    # FastAPI would drop nulls from an example.
    example = examples.ANSWERS.get(operation["operationId"])
    if example:
        status = next(each for each in ("200", "201") if each in operation["responses"])
        operation["responses"][status]["content"][JSON]["example"] = example


def _leave_out_keeping(operation: dict[str, Any]) -> None:
    """Removes what only a service that keeps analyses has: keys, and answers about them."""
    parameters = operation.get("parameters", [])
    operation["parameters"] = [each for each in parameters if each["name"] not in KEEPING]
    if "analyses" in operation["tags"] or operation["operationId"] == _FOR_ALL:
        for status in _KEEPING_STATUSES:
            operation["responses"].pop(str(status.value), None)


def _leave_out_titles(schema: dict[str, Any]) -> None:
    """Removes titles that Pydantic derives from names; generators would create classes for them."""
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
    """Describes the body of a route that takes images; `form` is the name of the form's schema."""
    content = {
        _FORM: {"schema": {"$ref": f"#/components/schemas/{form}"}},
        _BYTES: {"schema": BINARY},
    }
    described = "A form with the file, or the bytes of the file, also with its own media type"
    return {
        "requestBody": {"required": True, "description": described, "content": content},
        "x-codeSamples": [{"lang": "Shell", "source": f"curl -F image=@chest.png .{route}"}],
    }


def job_body(route: str) -> dict[str, Any]:
    """Describes the body of the route that takes jobs."""
    content = {
        _FORM: {"schema": {"$ref": "#/components/schemas/JobForm"}},
        "application/zip": {"schema": BINARY},
    }
    described = "A form with the files, or a zip file of them"
    source = f"curl --data-binary @films.zip -H 'Content-Type: application/zip' .{route}"
    return {
        "requestBody": {"required": True, "description": described, "content": content},
        "x-codeSamples": [{"lang": "Shell", "source": source}],
    }


def json_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Describes a body of JSON; what its model refers to is a part of an answer as well."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    _leave_out_titles(schema)
    content = {JSON: {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def related_body() -> dict[str, Any]:
    """Describes the body of a route that takes DICOM objects."""
    described = 'One DICOM object (PS3.10) in each part; type="application/dicom"'
    content = {RELATED: {"schema": BINARY}}
    return {"requestBody": {"required": True, "description": described, "content": content}}


def answer(description: str, *headers: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    """Describes the 200 response of a route."""
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return {HTTPStatus.OK.value: {"description": description, "headers": named} | more}


def created(description: str, *, schema: str = "Analysis") -> dict[int | str, dict[str, Any]]:
    """Describes the 201 response of a route that keeps what it answers."""
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in ("Location", "Vary")}
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    described = {"description": description, "headers": named, "content": content}
    return {HTTPStatus.CREATED.value: described}


def redirect(description: str) -> dict[int | str, dict[str, Any]]:
    """Describes the 303 response of a route that sends a browser elsewhere."""
    named = {"Location": {"$ref": "#/components/headers/Location"}}
    return {HTTPStatus.SEE_OTHER.value: {"description": description, "headers": named}}


def accepted(description: str) -> dict[int | str, dict[str, Any]]:
    """Describes the 202 response of a route that takes a job."""
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in ("Location", "Vary")}
    return {HTTPStatus.ACCEPTED.value: {"description": description, "headers": named}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describes the error responses of a route, with the codes of each status."""
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
