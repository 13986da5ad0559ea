"""The public surface over fake runners: every answer and every problem that it can give."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from bentos.settings import Settings
from chestxray.errors import ModelUnavailable
from chestxray.results import DISCLAIMER, Analysis, BatchAnalysis, Problem
from tests.phantoms import encode
from tests.service.fakes import FakeRunners, app_over, client_of

Test = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]

DARK = encode(np.full((300, 300), 60, np.uint8), "PNG")
BRIGHT = encode(np.full((300, 300), 250, np.uint8), "PNG")


@pytest.fixture
def runners() -> FakeRunners:
    return FakeRunners()


@pytest.fixture
def run(runners: FakeRunners, random_filter: Path, random_classifier: Path) -> Callable[..., None]:
    """Runs an async test against the app, with settings of its own."""

    def start(test: Test, **settings: Any) -> None:
        app = app_over(runners, [random_filter, random_classifier], Settings(**settings))

        async def main() -> None:
            async with client_of(app) as client:
                await test(client)

        asyncio.run(main())

    return start


def check_problem(answer: httpx.Response, status: int, code: str) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.text)
    assert (problem.status, problem.code) == (status, code)
    assert problem.request_id == answer.headers["x-request-id"]
    assert problem.disclaimer == DISCLAIMER
    return problem


def form(*images: bytes, name: str = "image") -> dict[str, Any]:
    return {"files": [(name, ("x.png", image, "image/png")) for image in images]}


def test_accepted_image_gets_the_designed_answer(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK))

        assert answer.status_code == 200
        analysis = Analysis.model_validate_json(answer.text)
        assert analysis.filter.valid
        assert analysis.prediction.label == "covid19"
        assert analysis.prediction.probabilities["covid19"] == 0.5
        assert analysis.heatmap is not None
        assert np.array(analysis.heatmap.grid).shape == (14, 14)
        assert analysis.heatmap.grid[3][4] == 7
        assert analysis.heatmap.range == (0, 7)
        assert set(analysis.models) == {"xray_filter", "covid_classifier"}
        assert analysis.disclaimer == DISCLAIMER
        assert not analysis.kept
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["server-timing"].startswith("decode;dur=")

    run(test)


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", None])
def test_raw_bytes_are_an_image_too(run: Callable[..., None], media_type: str | None) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"content-type": media_type} if media_type else {}
        answer = await client.post("/v1/analyses", content=DARK, headers=headers)

        assert answer.status_code == 200

    run(test)


def test_heatmap_can_be_left_out(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses?heatmap=none", **form(DARK))

        assert answer.json()["heatmap"] is None

    run(test)


def test_heatmap_is_drawn_for_who_accepts_png(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK), headers={"accept": "image/png"})

        assert answer.headers["content-type"] == "image/png"
        drawn = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
        assert drawn.shape == (300, 300, 3)
        assert np.ptp(drawn[int(3.5 * 300 / 14), int(4.5 * 300 / 14)]) > 20

    run(test)


def test_rejected_image_is_told_its_verdict_and_all_scores(
    run: Callable[..., None], runners: FakeRunners
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(BRIGHT))

        problem = check_problem(answer, 422, "not-a-frontal-chest-xray")
        assert problem.filter is not None
        assert problem.filter.verdict == "other_xray"
        assert len(problem.filter.scores) == 7
        assert runners.calls == [("judge", 1)]

    run(test)


def test_batch_answers_each_image_apart_and_in_order(
    run: Callable[..., None], runners: FakeRunners
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
        assert runners.calls == [("judge", 3), ("classify", 2)]

    run(test)


def test_image_that_a_model_fails_on_does_not_harm_its_batch(
    run: Callable[..., None], runners: FakeRunners
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        runners.poisoned = lambda image: bool(image.mean() < 30)
        black = encode(np.zeros((10, 10), np.uint8), "PNG")
        answer = await client.post("/v1/analyses/batch", **form(DARK, black, DARK))

        results = answer.json()["results"]
        assert [r.get("code", "ok") for r in results] == ["ok", "model-unavailable", "ok"]

    run(test)


BAD_REQUESTS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no body": (400, "empty-image", {}),
    "empty file": (400, "empty-image", form(b"")),
    "text": (415, "unsupported-format", form(b"hello")),
    "truncated": (422, "truncated-image", form(DARK[:-20])),
    "other type declared": (
        415,
        "mislabelled-image",
        {"files": {"image": ("x", DARK, "image/jpeg")}},
    ),
    "wrong field": (400, "unexpected-field", form(DARK, name="file")),
    "extra field": (400, "unexpected-field", form(DARK) | {"data": {"keep": "1"}}),
    "two files": (400, "too-many-images", form(DARK, DARK)),
    "empty form": (
        400,
        "missing-image",
        {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ),
    "no boundary": (
        400,
        "malformed-form",
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
    ),
    "form that is none": (
        400,
        "malformed-form",
        {"content": b"x" * 99, "headers": {"content-type": "multipart/form-data; boundary=y"}},
    ),
    "JSON": (415, "unsupported-media-type", {"json": {"image": "http://127.0.0.1/x.png"}}),
    "unknown option": (400, "invalid-parameter", form(DARK) | {"params": {"keep": "true"}}),
    "unknown heatmap": (400, "invalid-parameter", form(DARK) | {"params": {"heatmap": "gradcam"}}),
    "bad timeout": (
        400,
        "invalid-parameter",
        form(DARK) | {"headers": {"x-request-timeout-ms": "soon"}},
    ),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_request_gets_its_own_problem(run: Callable[..., None], name: str) -> None:
    status, code, request = BAD_REQUESTS[name]

    async def test(client: httpx.AsyncClient) -> None:
        check_problem(await client.post("/v1/analyses", **request), status, code)

    run(test)


def test_text_in_place_of_a_file_is_refused(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nhttp://127.0.0.1/\r\n--x--'
        )
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await client.post("/v1/analyses", content=body, headers=headers)

        check_problem(answer, 400, "not-a-file")

    run(test)


@pytest.mark.parametrize("declared", [True, False])
def test_body_over_the_limit_is_refused(run: Callable[..., None], declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    async def test(client: httpx.AsyncClient) -> None:
        body = b"x" * 400_000 if declared else chunks()
        answer = await client.post("/v1/analyses", content=body)

        check_problem(answer, 413, "body-too-large")

    run(test, max_image_bytes=1000)


def test_image_over_the_byte_limit_is_refused_though_its_form_is_not(
    run: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK))

        check_problem(answer, 413, "image-too-large")

    run(test, max_image_bytes=100)


def test_image_over_the_pixel_limit_is_refused(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        problem = check_problem(
            await client.post("/v1/analyses", **form(DARK)), 413, "image-too-large"
        )
        assert "300x300" in problem.detail

    run(test, max_image_pixels=89_999)


def test_batch_over_its_limit_is_refused(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses/batch", **form(DARK, DARK, DARK))

        check_problem(answer, 400, "too-many-images")

    run(test, max_images_per_batch=2)


def test_unknown_path_and_method_are_problems(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_problem(await client.get("/v2/nothing"), 404, "not-found")
        answer = await client.delete("/v1/models")
        check_problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET"

    run(test)


def test_model_that_is_down_is_a_503_with_advice(
    run: Callable[..., None], runners: FakeRunners
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        runners.failure = ModelUnavailable("a model does not answer; try again")
        answer = await client.post("/v1/analyses", **form(DARK))

        check_problem(answer, 503, "model-unavailable")
        assert int(answer.headers["retry-after"]) >= 1

    run(test)


def test_anything_unforeseen_is_a_500_that_leaks_nothing(
    run: Callable[..., None], runners: FakeRunners
) -> None:
    """Trap 16: an exception that leaves the app would hang its client."""

    async def test(client: httpx.AsyncClient) -> None:
        runners.failure = ZeroDivisionError("secret")
        answer = await client.post("/v1/analyses", **form(DARK))

        problem = check_problem(answer, 500, "internal-error")
        assert "secret" not in answer.text
        assert problem.request_id

    run(test)


def test_what_is_over_the_bound_is_refused_and_never_reaches_a_model(
    run: Callable[..., None], runners: FakeRunners
) -> None:
    """Trap 5: BentoML's own queue has no bound."""

    async def test(client: httpx.AsyncClient) -> None:
        runners.gate = asyncio.Event()
        posts = [asyncio.create_task(client.post("/v1/analyses", **form(DARK))) for _ in range(9)]
        while len(runners.calls) < 4 or sum(post.done() for post in posts) < 5:
            await asyncio.sleep(0.01)
        assert runners.calls == [("judge", 1)] * 4
        runners.gate.set()
        answers = await asyncio.gather(*posts)

        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 5
        for answer in refused:
            check_problem(answer, 503, "overloaded")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await client.post("/v1/analyses", **form(DARK))).status_code == 200

    run(test, max_images_in_flight=4)


def test_bytes_in_memory_are_bounded_and_given_back(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        large = b"x" * 2000
        for _ in range(3):
            check_problem(await client.post("/v1/analyses", content=large), 503, "overloaded")
        assert (await client.post("/v1/analyses", content=DARK)).status_code == 200

    run(test, max_bytes_in_flight=1999)


def test_deadline_of_the_caller_is_kept(run: Callable[..., None], runners: FakeRunners) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        runners.gate = asyncio.Event()
        headers = {"x-request-timeout-ms": "100"}
        answer = await client.post("/v1/analyses", **form(DARK), headers=headers)

        check_problem(answer, 504, "deadline-exceeded")

    run(test)


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("a b\tc", False), ("x" * 200, False)]
)
def test_request_id_is_kept_where_it_is_harmless(
    run: Callable[..., None], given: str, kept: bool
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/models", headers={"x-request-id": given})

        assert (answer.headers["x-request-id"] == given) is kept

    run(test)


def test_models_say_what_they_are(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        first, second = (await client.get("/v1/models")).json()["models"]

        assert (first["name"], second["name"]) == ("xray_filter", "covid_classifier")
        assert first["thresholds"] == {"frontal_chest": 0.5}
        assert second["labels"] == ["no_finding", "lung_opacity", "covid19"]
        assert first["digest"].startswith("sha256:")

    run(test)


def test_openapi_document_names_every_route_and_problem(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()

        assert document["openapi"].startswith("3.1")
        assert set(document["paths"]) == {"/v1/analyses", "/v1/analyses/batch", "/v1/models"}
        responses = document["paths"]["/v1/analyses"]["post"]["responses"]
        assert set(responses) == {"200", "400", "413", "415", "422", "500", "503", "504"}
        assert set(responses["200"]["content"]) == {"application/json", "image/png"}
        assert "application/problem+json" in responses["422"]["content"]
        assert "Problem" in document["components"]["schemas"]

    run(test)


def test_docs_ask_no_other_host(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = (await client.get("/docs")).text

        assert "swagger-ui" in page
        assert "https://" not in page.replace("https://fastapi.tiangolo.com", "")

    run(test)
