"""The public API over fake models: successful requests."""

import io
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import httpx
import numpy as np
import pytest
from PIL import Image

from chestxray.labels import VERDICTS
from chestxray.results import DISCLAIMER, Analysis, BatchAnalysis, Problem
from tests.phantoms import encode
from tests.service.fakes import BRIGHT, DARK, FakeModels, check_problem, form


def test_accepted_image_is_answered_with_a_complete_analysis(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK))

        assert answer.status_code == 200
        analysis = Analysis.model_validate_json(answer.text)
        assert analysis.filter.valid
        assert analysis.prediction.label == "covid19"
        assert analysis.prediction.probabilities["covid19"] == 0.5
        assert analysis.prediction.abnormal == 0.75
        assert analysis.heatmap is not None
        assert np.array(analysis.heatmap.grid).shape == (14, 14)
        assert analysis.heatmap.grid[3][4] == 7
        assert analysis.heatmap.range == (0, 7)
        assert set(analysis.models) == {"xray_filter", "covid_classifier"}
        assert analysis.disclaimer == DISCLAIMER
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["server-timing"].startswith("decode;dur=")

    run(test)


@pytest.mark.parametrize("normal", [0, 0.00004, 0.12345, 1 / 3, 0.58, 0.9012, 0.99996, 1])
def test_abnormal_and_no_finding_probabilities_sum_to_one(
    run: Callable[..., None], models: FakeModels, normal: float
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.probabilities = (normal, 1 - normal, 0)
        answer = await client.post("/v1/analyses", **form(DARK))

        prediction = json.loads(answer.text, parse_float=Decimal)["prediction"]
        assert prediction["abnormal"] + prediction["probabilities"]["no_finding"] == 1

    run(test)


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", None])
def test_image_is_accepted_as_a_raw_body(run: Callable[..., None], media_type: str | None) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"content-type": media_type} if media_type else {}
        answer = await client.post("/v1/analyses", content=DARK, headers=headers)

        assert answer.status_code == 200

    run(test)


@pytest.mark.parametrize("declared", ["image/png", "image/jpeg"])
def test_response_describes_the_input_file(run: Callable[..., None], declared: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        files = {"image": ("film.jpg", DARK, declared)}
        answer = await client.post("/v1/analyses", files=files)

        assert answer.json()["input"] == {
            "format": "PNG",
            "media_type": "image/png",
            "width": 300,
            "height": 300,
            "bits": 8,
            "colour": False,
            "mislabelled": declared == "image/jpeg",
            "film": None,
        }

    run(test)


def test_heatmap_none_omits_the_heatmap(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses?heatmap=none", **form(DARK))

        assert answer.json()["heatmap"] is None

    run(test)


def test_accept_png_returns_the_heatmap_as_an_image(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK), headers={"accept": "image/png"})

        assert answer.headers["content-type"] == "image/png"
        drawn = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
        assert drawn.shape == (300, 300, 3)
        assert np.ptp(drawn[int(3.5 * 300 / 14), int(4.5 * 300 / 14)]) > 20

    run(test)


def test_rejected_image_is_answered_with_its_verdict_and_all_scores(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(BRIGHT))

        problem = check_problem(answer, 422, "not-a-frontal-chest-xray")
        assert problem.filter is not None
        assert problem.filter.verdict == "other_xray"
        assert set(problem.filter.scores) == set(VERDICTS)
        assert models.calls == [("judge", 1)]

    run(test)


def test_batch_answers_each_image_separately_and_in_order(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        images = (DARK, b"text", BRIGHT, DARK, b"")
        answer = await client.post("/v1/analyses/batch", **form(*images))

        assert answer.status_code == 200
        results = BatchAnalysis.model_validate_json(answer.text).results
        kinds = [r.code if isinstance(r, Problem) else "ok" for r in results]
        assert kinds == [
            "ok",
            "unsupported-format",
            "not-a-frontal-chest-xray",
            "ok",
            "empty-image",
        ]
        assert Counter(models.calls) == {("judge", 1): 3, ("classify", 1): 2}

    run(test)


def test_image_that_fails_in_a_model_does_not_affect_its_batch(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.fails_on = lambda image: bool(image.mean() < 30)
        black = encode(np.pad([[255]], (0, 199)).astype(np.uint8), "PNG")
        answer = await client.post("/v1/analyses/batch", **form(DARK, black, DARK))

        results = answer.json()["results"]
        assert [r.get("code", "ok") for r in results] == ["ok", "model-unavailable", "ok"]

    run(test)


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("a b\tc", False), ("x" * 200, False)]
)
def test_request_id_is_kept_if_it_is_well_formed(
    run: Callable[..., None], given: str, kept: bool
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/models", headers={"x-request-id": given})

        assert (answer.headers["x-request-id"] == given) is kept

    run(test)


def test_models_route_lists_both_models(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        first, second = (await client.get("/v1/models")).json()["models"]

        assert (first["name"], second["name"]) == ("xray_filter", "covid_classifier")
        assert first["thresholds"] == {"frontal_chest": 0.5}
        assert second["labels"] == ["no_finding", "lung_opacity", "covid19"]
        assert first["digest"].startswith("sha256:")

    run(test)


def test_projection_route_returns_labelled_reference_points(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        found = (await client.get("/v1/projection")).json()

        assert found["labels"] == ["covid19", "no_finding"]
        assert found["points"] == [[1, 2, 3], [4, 5, 6]]
        assert found["variance"] == [0.5, 0.2, 0.1]
        assert found["model"].startswith("sha256:")

    run(test)


def test_openapi_document_lists_every_route_and_error_status(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()

        assert document["openapi"].startswith("3.1")
        routes = {"analyses", "analyses/batch", "caller"}
        routes |= {"examples", "limits", "models", "projection"}
        assert set(document["paths"]) == {f"/v1/{route}" for route in routes}
        responses = document["paths"]["/v1/analyses"]["post"]["responses"]
        errors = {"400", "406", "408", "413", "415", "500", "503", "504"}
        assert set(responses) == {"200", "422"} | errors
        assert {"application/json", "image/png"} < set(responses["200"]["content"])
        assert "application/problem+json" in responses["422"]["content"]
        assert "Problem" in document["components"]["schemas"]
        batch = document["paths"]["/v1/analyses/batch"]["post"]["responses"]
        assert set(batch) == {"200"} | errors
        assert "HTTPValidationError" not in document["components"]["schemas"]

    run(test)


def test_docs_page_loads_nothing_from_other_hosts(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = (await client.get("/docs")).text

        assert "swagger-ui" in page
        assert "https://" not in page.replace("https://fastapi.tiangolo.com", "")

    run(test)
