"""The public API over fake models: every problem that it can answer with."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from chestxray.errors import ModelUnavailable
from tests import dicoms
from tests.phantoms import encode
from tests.service.fakes import DARK, FakeModels, check_problem, form

BAD_REQUESTS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no body": (400, "empty-image", {}),
    "empty file": (400, "empty-image", form(b"")),
    "text": (415, "unsupported-format", form(b"hello")),
    "truncated": (422, "truncated-image", form(DARK[:-20])),
    "blank": (422, "blank-image", form(encode(np.zeros((64, 64), np.uint8), "PNG"))),
    "DICOM": (422, "unreadable-image", form(bytes(128) + b"DICM" + bytes(99))),
    "CT": (422, "other-examination", form(dicoms.film(dicoms.RAMP, Modality="CT"))),
    "kind of TIFF that is not supported": (
        415,
        "unsupported-variant",
        form(encode(np.eye(64, dtype=np.uint8), "TIFF", compression="lzma")),
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
    "unknown option": (400, "invalid-parameter", form(DARK) | {"params": {"store": "true"}}),
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


def test_text_instead_of_a_file_is_rejected(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nhttp://127.0.0.1/\r\n--x--'
        )
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await client.post("/v1/analyses", content=body, headers=headers)

        check_problem(answer, 400, "not-a-file")

    run(test)


@pytest.mark.parametrize("declared", [True, False])
def test_body_above_the_size_limit_is_rejected(run: Callable[..., None], declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    async def test(client: httpx.AsyncClient) -> None:
        body = b"x" * 400_000 if declared else chunks()
        answer = await client.post("/v1/analyses", content=body)

        check_problem(answer, 413, "body-too-large")

    run(test, max_image_bytes=1000)


def test_image_above_the_byte_limit_within_a_form_is_rejected(
    run: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses", **form(DARK))

        check_problem(answer, 413, "image-too-large")

    run(test, max_image_bytes=100)


def test_image_above_the_pixel_limit_is_rejected(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        problem = check_problem(
            await client.post("/v1/analyses", **form(DARK)), 413, "image-too-large"
        )
        assert "300x300" in problem.detail

    run(test, max_image_pixels=89_999)


def test_batch_above_the_image_limit_is_rejected(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses/batch", **form(DARK, DARK, DARK))

        check_problem(answer, 400, "too-many-images")

    run(test, max_images_per_batch=2)


def test_unknown_path_or_method_is_answered_with_a_problem(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_problem(await client.get("/v2/nothing"), 404, "not-found")
        answer = await client.delete("/v1/models")
        check_problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"

    run(test)


def test_unavailable_model_is_answered_503_with_retry_after(
    run: Callable[..., None], models: FakeModels
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        models.failure = ModelUnavailable("a model does not answer; try again")
        answer = await client.post("/v1/analyses", **form(DARK))

        check_problem(answer, 503, "model-unavailable")
        assert int(answer.headers["retry-after"]) >= 1

    run(test)


def test_unexpected_error_is_answered_500_without_details(
    run: Callable[..., None], models: FakeModels
) -> None:
    """Trap 16: an exception that leaves the app would hang its client."""

    async def test(client: httpx.AsyncClient) -> None:
        models.failure = ZeroDivisionError("secret")
        answer = await client.post("/v1/analyses", **form(DARK))

        problem = check_problem(answer, 500, "internal-error")
        assert "secret" not in answer.text
        assert problem.request_id

    run(test)


@pytest.mark.parametrize("charset", ["punycode", "iso-8859-1", "utf-8"])
def test_charset_parameter_of_a_form_is_ignored(run: Callable[..., None], charset: str) -> None:
    """Some codecs take minutes per kilobyte, and older clients send a charset needlessly."""

    async def test(client: httpx.AsyncClient) -> None:
        headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
        body = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + DARK + b"\r\n--x--"
        answer = await client.post("/v1/analyses", content=body, headers=headers)

        assert answer.status_code == 200

    run(test)


def test_problem_contains_the_exceeded_limit_as_a_number(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        large = (await client.post("/v1/analyses", **form(DARK))).json()
        many = (await client.post("/v1/analyses/batch", **form(DARK, DARK, DARK))).json()

        assert (large["code"], large["limit"]) == ("image-too-large", 89_999)
        assert (many["code"], many["limit"]) == ("too-many-images", 2)

    run(test, max_image_pixels=89_999, max_images_per_batch=2)
