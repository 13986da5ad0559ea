"""Makes the OpenAPI document say what FastAPI does not: what is really taken and answered."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from bentos.settings import Settings

_FORM = "multipart/form-data"


def complete(app: FastAPI, settings: Settings) -> None:
    """Completes the document of an app that has all of its routes."""
    document = app.openapi()
    for operation in _operations(document):
        _state_only_what_is_answered(operation)
        _state_bounds_of_forms(operation, settings)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from operations.values()


def _state_only_what_is_answered(operation: dict[str, Any]) -> None:
    """Takes FastAPI's own 422 out: here a bad parameter is a 400."""
    answer = operation["responses"].get("422", {})
    if "application/json" in answer.get("content", {}):
        del operation["responses"]["422"]


def _state_bounds_of_forms(operation: dict[str, Any], settings: Settings) -> None:
    form = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema")
    if form is None:
        return
    form["additionalProperties"] = False
    for field in form["properties"].values():
        if field["type"] == "array":
            field |= {"minItems": 1, "maxItems": settings.max_images_per_batch}
