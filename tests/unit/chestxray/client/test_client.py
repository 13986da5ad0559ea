"""Both clients over a transport without a network: what they send, retry, raise and return."""

import io
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.gateway.examples import ANSWERS, problem
from chestxray.client import (
    Analysis,
    ConnectionFailed,
    Image,
    Problem,
    ProblemError,
    Retries,
    UnexpectedAnswer,
)
from chestxray.client.exchange import Options, with_key
from tests.unit.chestxray.client.calling import (
    AT_ONCE,
    KINDS,
    URL,
    Service,
    analysis,
    call,
    refused,
)

pytestmark = pytest.mark.parametrize("kind", KINDS)


def overloaded() -> httpx.Response:
    return refused("overloaded", **{"Retry-After": "0"})


def lost() -> Exception:
    return httpx.ReadError("reset by the peer")


def test_analysis_is_typed(kind: str) -> None:
    found = call(kind, Service(analysis))

    assert isinstance(found, Analysis)
    assert found.prediction.label == "no_finding"
    assert found.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert found.input.film == (0.05, 0.04, 0.95, 0.96)


def test_request_has_the_image_its_options_and_no_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "maria_silva.png"
    path.write_bytes(b"image")
    service = Service(analysis)

    call(kind, service, "analyze", path, headers={"X-Team": "radiology"})

    (request,) = service.requests
    assert str(request.url) == f"{URL}v1/analyses?heatmap=cam"
    assert request.content == b"image"
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.headers["accept"] == "application/json"
    assert request.headers["x-team"] == "radiology"
    assert 9000 < int(request.headers["x-request-timeout-ms"]) <= 10_000
    assert "silva" not in str(request.headers)


def test_api_key_is_sent_as_a_bearer_token_and_is_not_shown(kind: str) -> None:
    service = Service(analysis)

    call(kind, service, api_key="cxr_secret", headers={"X-Team": "radiology"})

    (request,) = service.requests
    assert request.headers["authorization"] == "Bearer cxr_secret"
    assert request.headers["x-team"] == "radiology"
    options = Options(URL, 1.0, Retries(), with_key(None, "cxr_secret"))
    assert "cxr_secret" not in repr(options)


def test_without_an_api_key_there_is_no_authorization(kind: str) -> None:
    service = Service(analysis)

    call(kind, service)

    assert "authorization" not in service.requests[0].headers


@pytest.mark.parametrize("given", ["path", "text", "file", "bytes", "bytearray", "view"])
def test_image_may_be_a_path_a_file_or_bytes(kind: str, given: str, tmp_path: Path) -> None:
    path = tmp_path / "chest.png"
    path.write_bytes(b"image")
    images: dict[str, Image] = {
        "path": path,
        "text": str(path),
        "file": io.BytesIO(b"image"),
        "bytes": b"image",
        "bytearray": bytearray(b"image"),
        "view": memoryview(b"image"),
    }
    # The second try sends what a file had, too.
    service = Service(lost, analysis)

    call(kind, service, "analyze", images[given])

    assert [request.content for request in service.requests] == [b"image", b"image"]


def test_file_opened_as_text_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="'rb'"):
        call(kind, Service(analysis), "analyze", io.StringIO("image"))


@pytest.mark.parametrize("first", [overloaded, lost], ids=["overloaded", "connection lost"])
def test_call_is_tried_again(kind: str, first: Any) -> None:
    service = Service(first, first, analysis)

    assert call(kind, service).prediction.label == "no_finding"
    assert len(service.requests) == 3


def test_tries_are_limited(kind: str) -> None:
    service = Service(overloaded)

    with pytest.raises(ProblemError) as raised:
        call(kind, service)

    assert len(service.requests) == AT_ONCE.tries
    assert (raised.value.status, raised.value.code) == (503, "overloaded")
    assert raised.value.retry_after == 0


def test_single_try_raises_the_problem(kind: str) -> None:
    service = Service(overloaded, analysis)

    with pytest.raises(ProblemError):
        call(kind, service, retries=Retries(tries=1))


def test_refused_image_is_not_sent_again(kind: str) -> None:
    answer = problem("unsupported-format") | {"status": 415, "found": "PDF", "later": {"a": 1}}
    service = Service(lambda: httpx.Response(415, json=answer))

    with pytest.raises(ProblemError, match="415 unsupported-format") as raised:
        call(kind, service)

    assert len(service.requests) == 1
    error = raised.value
    assert (error.found, error.title) == ("PDF", "Unsupported format")
    assert (error.detail, error.request_id) == (answer["detail"], answer["request_id"])
    assert error.retry_after is None


def test_long_pause_asked_for_is_left_to_the_caller(kind: str) -> None:
    service = Service(lambda: refused("overloaded", **{"Retry-After": "30"}))

    with pytest.raises(ProblemError) as raised:
        call(kind, service, timeout=5)

    assert len(service.requests) == 1
    assert raised.value.retry_after == 30


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", None, 7),
        (" 7 ", None, 7),
        ("Fri, 27 Nov 2026 12:00:30 GMT", "Fri, 27 Nov 2026 12:00:00 GMT", 30),
        ("Fri, 27 Nov 2026 11:00:00 GMT", "Fri, 27 Nov 2026 12:00:00 GMT", 0),
        ("-1", None, None),
        ("soon", None, None),
        ("9" * 400, None, None),
        ("", None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(
    kind: str, value: str, date: str | None, seconds: float | None
) -> None:
    headers = {"Retry-After": value} | ({"Date": date} if date else {})

    with pytest.raises(ProblemError) as raised:
        call(kind, Service(lambda: refused("overloaded", **headers)), retries=Retries(tries=1))

    assert raised.value.retry_after == seconds


def test_date_of_retry_after_counts_from_now_without_the_servers_date(kind: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    with pytest.raises(ProblemError) as raised:
        call(kind, Service(lambda: refused("overloaded", **{"Retry-After": later})))

    assert raised.value.retry_after == pytest.approx(100, abs=5)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_answer_of_a_proxy_is_a_problem_without_a_code(kind: str, status: int) -> None:
    def page() -> httpx.Response:
        return httpx.Response(status, html="<h1>Bad</h1>", headers={"X-Request-ID": "a1"})

    with pytest.raises(ProblemError) as raised:
        call(kind, Service(page), retries=Retries(tries=1))

    assert (raised.value.status, raised.value.code) == (status, "")
    assert raised.value.request_id == "a1"
    assert call(kind, Service(page, analysis)).prediction


@pytest.mark.parametrize(
    "answer",
    [
        {"html": "<h1>Log in</h1>"},
        {"json": []},
        {"json": {"id": "x"}},
        {"json": ANSWERS["analyse_image"] | {"projection": [1, 2]}},
        {"json": ANSWERS["analyse_image"] | {"id": 7}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
    ],
    ids=["page", "list", "incomplete", "short", "number", "half"],
)
def test_answer_of_another_program_is_unexpected(kind: str, answer: dict[str, Any]) -> None:
    service = Service(lambda: httpx.Response(200, **answer))

    with pytest.raises(UnexpectedAnswer, match="application/json"):
        call(kind, service)

    assert len(service.requests) == 1


def test_members_of_a_later_service_are_ignored(kind: str) -> None:
    document = ANSWERS["analyse_image"]
    later = document | {"new": 1, "input": document["input"] | {"new": []}}

    assert call(kind, Service(lambda: httpx.Response(200, json=later))).input.bits == 16


def test_batch_has_analyses_and_problems_in_order(kind: str) -> None:
    service = Service(lambda: httpx.Response(200, json=ANSWERS["analyse_batch"]))

    first, second = call(kind, service, "analyze_batch", [b"one", b"two"])

    assert isinstance(first, Analysis)
    assert isinstance(second, Problem)
    assert second.filter is not None
    assert second.filter.verdict == "rotated_90"
    assert service.requests[0].content.count(b'name="image"; filename="image"') == 2


def test_batch_with_a_result_too_few_is_unexpected(kind: str) -> None:
    service = Service(lambda: httpx.Response(200, json=ANSWERS["analyse_batch"]))

    with pytest.raises(UnexpectedAnswer, match="one result for each"):
        call(kind, service, "analyze_batch", [b"one"])


@pytest.mark.parametrize(
    ("method", "media_type"), [("heatmap", "image/png"), ("report", "application/dicom")]
)
def test_files_are_returned_as_they_are(kind: str, method: str, media_type: str) -> None:
    file = httpx.Response(200, content=b"\0file\r\n", headers={"Content-Type": media_type})
    service = Service(lambda: file)

    assert call(kind, service, method) == b"\0file\r\n"
    assert service.requests[0].headers["accept"] == media_type


def test_page_of_a_portal_is_no_heatmap(kind: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="text/html"):
        call(kind, Service(lambda: httpx.Response(200, html="<h1>Log in</h1>")), "heatmap")


def test_dicom_objects_are_taken_apart(kind: str) -> None:
    body = b"".join(
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n"
        for each in (b"one\n", b"two")
    )
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    service = Service(lambda: httpx.Response(200, content=body + b"--b--\r\n", headers=headers))

    assert call(kind, service, "dicom_objects") == [b"one\n", b"two"]
    assert service.requests[0].headers["accept-language"] == "en"
    assert service.requests[0].headers["accept"] == 'multipart/related; type="application/dicom"'


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_senseless_timeout_is_refused(kind: str, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        call(kind, Service(analysis), timeout=timeout)


def test_error_in_the_request_is_not_tried_again(kind: str) -> None:
    service = Service(lambda: httpx.UnsupportedProtocol("ftp"))

    with pytest.raises(ConnectionFailed):
        call(kind, service)

    assert len(service.requests) == 1
