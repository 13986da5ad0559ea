"""The OpenAPI document, and that the service is as it says; `make fuzz` asks for longer."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.fuzz import api
from tests.service.server import Server


@pytest.mark.parametrize("accept", api.ACCEPT)
def test_every_answer_is_one_that_the_document_allows(
    open_server: Server, tmp_path: Path, accept: str
) -> None:
    assert api.run(open_server.url, tmp_path, examples=10, accept=accept) == 0


def test_document_says_what_fastapi_does_not(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        one, many = (document["paths"][f"/v1/analyses{end}"]["post"] for end in ("", "/batch"))

        parameters = {each["name"]: each["schema"] for each in one["parameters"]}
        assert parameters["X-Request-Timeout-Ms"]["type"] == "integer"
        assert "anyOf" not in parameters["X-Request-Timeout-Ms"]
        forms = [
            each["requestBody"]["content"]["multipart/form-data"]["schema"] for each in (one, many)
        ]
        assert all(form["additionalProperties"] is False for form in forms)
        images = forms[1]["properties"]["image"]
        assert (images["minItems"], images["maxItems"]) == (1, 3)
        assert "HTTPValidationError" not in document["components"]["schemas"]

    run(test, max_images_per_batch=3)


def test_batch_without_a_body_is_a_bad_request(run: Callable[..., None]) -> None:
    """Found by Schemathesis: it was a 200 about one image of no bytes."""

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses/batch")

        assert (answer.status_code, answer.json()["code"]) == (400, "empty-image")

    run(test)
