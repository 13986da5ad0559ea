"""The service conforms to its OpenAPI document; `make fuzz` tests this for longer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.gateway import examples
from bentos.http.codes import CODES
from bentos.http.problems import MEDIA_TYPE
from chestxray.results import Analysis, BatchAnalysis, Examples, Limits, Problem
from tests.fuzz import api
from tests.service.server import Server


@pytest.mark.parametrize("accept", api.ACCEPT)
def test_every_response_conforms_to_the_openapi_document(
    open_server: Server, tmp_path: Path, accept: str
) -> None:
    assert api.run(open_server.url, tmp_path, examples=10, accept=accept) == 0


def test_every_response_about_kept_analyses_conforms_to_the_openapi_document(
    keeping_server: Server, keeping_key: str, tmp_path: Path
) -> None:
    url = keeping_server.url

    assert api.run(url, tmp_path, examples=10, accept="*/*", key=keeping_key) == 0


@pytest.fixture
def document(run: Callable[..., None]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def read(client: httpx.AsyncClient) -> None:
        found.update((await client.get("/openapi.json")).json())

    run(read, max_images_per_batch=3)
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def analyses(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["paths"][f"/v1/analyses{end}"]["post"] for end in ("", "/batch")]


def test_document_has_the_constraints_that_fastapi_omits(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    parameters = {each["name"]: each["schema"] for each in analyses(document)[0]["parameters"]}

    assert parameters["X-Request-Timeout-Ms"]["type"] == "integer"
    assert "anyOf" not in parameters["X-Request-Timeout-Ms"]
    forms = [schemas["ImageForm"], schemas["ImagesForm"]]
    assert all(form["additionalProperties"] is False for form in forms)
    images = forms[1]["properties"]["image"]
    assert (images["minItems"], images["maxItems"]) == (1, 3)
    assert "HTTPValidationError" not in schemas


def test_operation_and_schema_names_suit_generated_clients(document: dict[str, Any]) -> None:
    assert [each["operationId"] for each in operations(document)] == [
        "analyse_image",
        "analyse_batch",
        "list_examples",
        "get_limits",
        "get_caller",
        "list_models",
        "get_projection",
    ]
    assert not [name for name in document["components"]["schemas"] if "_" in name]
    assert all("title" not in schema for schema in document["components"]["schemas"].values())


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}

    for operation in operations(document):
        assert operation["summary"] and operation["description"]
        assert set(operation["tags"]) <= tags
        for response in operation["responses"].values():
            assert "X-Request-ID" in response["headers"]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert document["servers"] == [{"url": "/"}]


def test_every_response_type_and_both_body_types_are_documented(document: dict[str, Any]) -> None:
    one, many = analyses(document)

    assert set(one["responses"]["200"]["content"]) == {
        "application/json",
        "image/png",
        "application/dicom",
        "multipart/related",
        "application/fhir+json",
        "text/plain",
    }
    assert set(many["responses"]["200"]["content"]) == {"application/json"}
    assert "Accept" in one["description"]
    for each in (one, many):
        bodies = set(each["requestBody"]["content"])
        assert bodies == {"multipart/form-data", "application/octet-stream"}
        assert "Retry-After" in each["responses"]["503"]["headers"]


def test_problem_code_enum_lists_all_public_codes(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["Problem"]["properties"]["code"] == {"$ref": "#/components/schemas/ProblemCode"}
    assert set(schemas["ProblemCode"]["enum"]) == {n for n, code in CODES.items() if code.public}


def test_every_problem_example_is_a_valid_problem(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            shown = response["content"].get(MEDIA_TYPE, {}).get("examples", {})
            for code, example in shown.items():
                problem = Problem.model_validate(example["value"])
                assert (problem.code, problem.status) == (code, int(status))


@pytest.mark.parametrize(
    ("operation", "model"),
    [
        ("analyse_image", Analysis),
        ("analyse_batch", BatchAnalysis),
        ("list_examples", Examples),
        ("get_limits", Limits),
    ],
)
def test_response_examples_are_complete(operation: str, model: Any) -> None:
    example = examples.ANSWERS[operation]

    shown = model.model_validate(example).model_dump(mode="json", exclude_unset=True)
    assert shown == example


def test_batch_without_a_body_is_answered_400(run: Callable[..., None]) -> None:
    """Found by Schemathesis: it was answered with 200 and one empty image."""

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses/batch")

        assert (answer.status_code, answer.json()["code"]) == (400, "empty-image")

    run(test)
