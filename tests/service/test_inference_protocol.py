"""The Open Inference Protocol over fake models, and over the real service."""

import asyncio
import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bentos.gateway.app import ADMITTED
from bentos.gateway.inference_protocol import INFER, MODEL
from bentos.http.problems import MEDIA_TYPE
from chestxray.labels import FINDINGS
from chestxray.results import DISCLAIMER
from tests import waiting
from tests.service.fakes import BRIGHT, DARK, FakeModels
from tests.service.server import Server


def tensor(*images: bytes, **changes: Any) -> dict[str, Any]:
    data = [base64.b64encode(image).decode() for image in images]
    return {"name": "image", "datatype": "BYTES", "shape": [len(images)], "data": data} | changes


def body(*images: bytes, **more: Any) -> dict[str, Any]:
    return {"inputs": [tensor(*images)], **more}


def binary(*images: bytes, cut: int | None = None) -> dict[str, Any]:
    """A request with its images as binary data, perhaps cut off."""
    raw = b"".join(struct.pack("<I", len(image)) + image for image in images)
    asked = tensor(*images, parameters={"binary_data_size": len(raw)})
    del asked["data"]
    head = json.dumps({"inputs": [asked]}).encode()
    return {
        "content": head + raw[:cut],
        "headers": {"Inference-Header-Content-Length": str(len(head))},
    }


def outputs(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["outputs"]}


def check_error(answer: httpx.Response, status: int, code: str) -> str:
    """Checks that an error is both of the protocol and a problem; returns its text."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["error"] == problem["detail"]
    text: str = problem["error"]
    return text


def test_images_in_base64_are_answered_with_one_row_each(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(INFER, json=body(DARK, DARK, id="42"))

        found = outputs(answer)
        assert found["probabilities"] == {
            "name": "probabilities",
            "datatype": "FP32",
            "shape": [2, 3],
            "data": [0.25, 0.25, 0.5] * 2,
        }
        assert (found["label"]["datatype"], found["label"]["shape"]) == ("BYTES", [2])
        assert found["label"]["data"] == ["covid19", "covid19"]
        assert found["verdict"]["data"] == ["frontal_chest", "frontal_chest"]
        assert (answer.json()["id"], answer.json()["model_name"]) == ("42", MODEL)

    run(test)


def test_answer_says_research_use_only_and_names_classes_and_models(
    run: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = (await client.post(INFER, json=body(DARK))).json()

        assert answer["parameters"]["disclaimer"] == DISCLAIMER
        assert answer["parameters"]["classes"].split(",") == list(FINDINGS)
        assert answer["parameters"]["xray_filter"].startswith("sha256:")
        assert "id" not in answer

    run(test)


def test_images_are_accepted_as_binary_data(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(INFER, **binary(DARK, DARK))

        assert outputs(answer)["label"]["data"] == ["covid19", "covid19"]

    run(test)


def test_only_requested_outputs_are_returned(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        asked = body(DARK, outputs=[{"name": "label", "parameters": {"binary_data": False}}])
        answer = await client.post(INFER, json=asked)

        assert list(outputs(answer)) == ["label"]

    run(test)


def test_image_that_is_no_chest_xray_fails_its_request(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(INFER, json=body(DARK, BRIGHT))

        check_error(answer, 422, "not-a-frontal-chest-xray")
        assert answer.json()["filter"]["verdict"] == "other_xray"

    run(test)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "picture"}, "inputs.0.name"),
        ({"datatype": "UINT8"}, "inputs.0.datatype"),
        ({"shape": [2]}, "2 images"),
        ({"shape": [1, 2]}, "[n, 1]"),
        ({"shape": [0], "data": []}, "0 images"),
        ({"data": ["not base64!"]}, "base64"),
        ({"data": None}, "either"),
        ({"data": [["AA=="]]}, "inputs.0.data"),
    ],
)
def test_malformed_tensor_is_answered_400(
    run: Callable[..., None], changes: dict[str, Any], said: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(INFER, json={"inputs": [tensor(DARK, **changes)]})

        assert said in check_error(answer, 400, "malformed-request")

    run(test)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[" * 100_000, b'{"inputs":[' + b"[]," * 400_000, b"\xff", b"1" * 100_000],
    ids=["empty", "object", "deep", "many values", "no text", "long number"],
)
def test_body_that_is_no_request_of_the_protocol_is_answered_400(
    run: Callable[..., None], models: FakeModels, content: bytes
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_error(await client.post(INFER, content=content), 400, "malformed-request")
        assert models.calls == []

    run(test)


@pytest.mark.parametrize("length", ["", "-1", "x", "99999999999", "9" * 5000])
def test_length_outside_of_the_body_is_answered_400(run: Callable[..., None], length: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"Inference-Header-Content-Length": length}
        answer = await client.post(INFER, json=body(DARK), headers=headers)

        check_error(answer, 400, "malformed-request")

    run(test)


@pytest.mark.parametrize("cut", [2, 100])
def test_binary_data_that_ends_early_is_answered_400(run: Callable[..., None], cut: int) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_error(await client.post(INFER, **binary(DARK, cut=cut)), 400, "malformed-request")

    run(test)


def test_more_images_than_a_batch_are_answered_400(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for request in ({"json": body(DARK, DARK, DARK)}, binary(DARK, DARK, DARK)):
            check_error(await client.post(INFER, **request), 400, "too-many-images")

    run(test, max_images_per_batch=2)


def test_images_beyond_a_batch_are_refused_before_they_are_decoded(
    run: Callable[..., None],
) -> None:
    """An empty element takes four bytes, so a body may have millions of them."""

    async def test(client: httpx.AsyncClient) -> None:
        request = binary(*[b""] * 3)
        request["content"] += b"cut"  # which decoding would complain of

        check_error(await client.post(INFER, **request), 400, "too-many-images")

    run(test, max_images_per_batch=2)


def test_body_larger_than_a_batch_is_answered_413(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_error(await client.post(INFER, json=body(DARK)), 413, "body-too-large")

    run(test, max_image_bytes=100, max_batch_bytes=100)


def test_body_counts_three_times_towards_the_bytes_in_flight(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(INFER, json=body(bytes(1000)))

        assert "capacity" in check_error(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1

    run(test, max_image_bytes=3000, max_batch_bytes=3000, max_bytes_in_flight=3000)


def test_images_beyond_the_limit_in_flight_are_shed(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        first = asyncio.create_task(client.post(INFER, json=body(DARK)))
        await waiting.until_async(lambda: models.calls)
        second = await client.post(INFER, json=body(DARK))
        models.gate.set()

        check_error(second, 503, "overloaded")
        assert (await first).status_code == 200

    run(test, max_images_in_flight=1, max_images_per_batch=1)


def test_deadline_of_a_request_holds(run: Callable[..., None], models: FakeModels) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.gate = asyncio.Event()
        headers = {"X-Request-Timeout-Ms": "50"}
        answer = await client.post(INFER, json=body(DARK), headers=headers)

        check_error(answer, 504, "deadline-exceeded")

    run(test)


def test_metadata_describes_the_tensors_of_a_request(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        server = (await client.get("/v2")).json()
        model = (await client.get(f"/v2/models/{MODEL}")).json()
        found = outputs(await client.post(INFER, json=body(DARK)))

        assert (server["name"], server["extensions"]) == (MODEL, [])
        assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
        for each in model["outputs"]:
            answered = found.pop(each["name"])
            assert answered["datatype"] == each["datatype"]
            assert answered["shape"] == [1, *each["shape"][1:]]
        assert found == {}

    run(test)


def test_ready_service_answers_the_health_routes(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        live = await client.get("/v2/health/live")
        ready = await client.get("/v2/health/ready")
        model = await client.get(f"/v2/models/{MODEL}/ready")

        assert live.json() == {"live": True}
        assert ready.json() == {"live": True, "ready": True}
        assert model.json() == {"name": MODEL, "ready": True}

    run(test)


@pytest.mark.parametrize("path", ["/v2/models/other", "/v2/models/other/infer", "/v2/nothing"])
def test_unknown_model_or_path_is_answered_404(run: Callable[..., None], path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_error(await client.get(path), 404, "not-found")

    run(test)


def test_problem_of_our_own_api_has_no_member_of_the_protocol(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        assert "error" not in (await client.get("/v2nothing")).json()
        assert "error" not in (await client.post("/v1/analyses", content=b"")).json()

    run(test)


def test_real_service_answers_both_apis_alike(open_server: Server, png: bytes) -> None:
    ours = httpx.post(f"{open_server.url}/v1/analyses", content=png, timeout=60).json()
    answer = httpx.post(f"{open_server.url}{INFER}", json=body(png), timeout=60)

    found = outputs(answer)
    assert found["label"]["data"] == [ours["prediction"]["label"]]
    expected = list(ours["prediction"]["probabilities"].values())
    assert found["probabilities"]["data"] == pytest.approx(expected, abs=0.001)
    assert httpx.get(f"{open_server.url}/v2/health/ready").json()["ready"] is True
    counted = open_server.total("chestxray_requests_total", route=INFER, outcome="accepted")
    assert counted == 1
    assert INFER in ADMITTED
