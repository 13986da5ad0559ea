"""The middleware answers probes, checks methods and targets, and rejects bad requests."""

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bentos.http.connections import CROWDED, REFUSAL
from bentos.http.drain import Drain
from bentos.http.middleware import RequestMiddleware
from bentos.http.problems import RequestProblem

JSON = "application/problem+json"
HOST = (b"host", b"x")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers with the request's method and path."""
    await JSONResponse({"method": scope["method"], "path": scope["path"]})(scope, receive, send)


class MiddlewareClient:
    """Sends the middleware requests as the server would."""

    def __init__(self) -> None:
        self.ready, self.drain = True, Drain(delay=0, timeout=1)
        self.asked_for_readiness = 0
        self.edge = RequestMiddleware(echo, self.drain, self._is_ready)

    async def _is_ready(self) -> bool:
        self.asked_for_readiness += 1
        await asyncio.sleep(0.01)
        return self.ready

    async def send(self, method: str, target: bytes, **changes: Any) -> httpx.Response:
        raw_path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": raw_path.decode(),
            "raw_path": raw_path,
            "query_string": query,
            "headers": [HOST],
            "client": ("203.0.113.7", 1),
            "state": {},
        } | changes
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: Any) -> None:
            messages.append(message)

        await self.edge(scope, receive, keep)
        start, *bodies = messages
        return httpx.Response(
            start["status"],
            headers=start["headers"],
            content=b"".join(b.get("body", b"") for b in bodies),
        )

    def __call__(self, method: str, target: str, **changes: Any) -> httpx.Response:
        return asyncio.run(self.send(method, target.encode(), **changes))


@pytest.fixture
def ask() -> MiddlewareClient:
    return MiddlewareClient()


def check_refusal(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON)
    assert answer.json()["code"] == code
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probe_is_answered_for_get_and_head(ask: MiddlewareClient, path: str, method: str) -> None:
    assert ask(method, path).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_probe_rejects_other_methods(ask: MiddlewareClient, path: str, method: str) -> None:
    answer = ask(method, path)

    check_refusal(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_unavailable_model_fails_readiness_but_not_liveness(ask: MiddlewareClient) -> None:
    ask.ready = False

    check_refusal(ask("GET", "/readyz"), 503, "not-ready")
    assert ask("GET", "/livez").status_code == 200


def test_concurrent_readiness_probes_share_one_check(ask: MiddlewareClient) -> None:
    async def probe() -> None:
        await asyncio.gather(*(ask.send("GET", b"/readyz") for _ in range(20)))

    asyncio.run(probe())

    assert ask.asked_for_readiness == 1


@pytest.mark.parametrize(
    ("method", "target", "routed"),
    [
        ("GET", "/v1/limits", ("GET", "/v1/limits")),
        ("GET", "/v1/limits/", ("GET", "/v1/limits")),
        ("GET", "/v1/limits//", ("GET", "/v1/limits/")),
        ("GET", "/web/", ("GET", "/web/")),
        ("GET", "/", ("GET", "/")),
        ("HEAD", "/v1/limits", ("GET", "/v1/limits")),
        ("GET", "http://elsewhere.example/v1/limits?a=b", ("GET", "/v1/limits")),
        ("GET", "HTTPS://[::1]:3000", ("GET", "/")),
    ],
)
def test_request_target_is_normalised_before_routing(
    ask: MiddlewareClient, method: str, target: str, routed: tuple[str, str]
) -> None:
    answer = ask(method, target)

    assert (answer.json()["method"], answer.json()["path"]) == routed


@pytest.mark.parametrize(
    "target",
    ["v1/limits", "*", "file:///etc/passwd", "http://a b/", "http:///x", "http://u@x/", "/a#b"],
)
def test_malformed_request_target_is_rejected(ask: MiddlewareClient, target: str) -> None:
    answer = ask("GET", target)

    check_refusal(answer, 400, "malformed-request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x7f"])
def test_path_with_a_control_character_is_rejected(ask: MiddlewareClient, character: str) -> None:
    check_refusal(ask("GET", "/x", path=f"/x{character}"), 400, "malformed-request")


def test_connect_method_is_rejected(ask: MiddlewareClient) -> None:
    check_refusal(ask("CONNECT", "127.0.0.1:22"), 501, "method-not-implemented")


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.1"])
def test_unsupported_http_version_is_rejected(ask: MiddlewareClient, version: str) -> None:
    answer = ask("GET", "/", http_version=version)

    check_refusal(answer, 505, "unsupported-http-version")


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"x/y", b'evil.example/"><script>', b"a,b", b"x:y", b"[::1", b"\xff"]
)
def test_malformed_host_header_is_rejected(ask: MiddlewareClient, host: bytes) -> None:
    check_refusal(ask("GET", "/", headers=[(b"host", host)]), 400, "malformed-request")


@pytest.mark.parametrize("host", [b"x", b"localhost:3000", b"[::1]:80", b"a_b.example", b"x:"])
def test_valid_host_header_is_accepted(ask: MiddlewareClient, host: bytes) -> None:
    assert ask("GET", "/", headers=[(b"host", host)]).status_code == 200


@pytest.mark.parametrize("expected", [b"200-ok", b"100-continue, x", b""])
def test_unknown_expect_header_is_rejected(ask: MiddlewareClient, expected: bytes) -> None:
    headers = [HOST, (b"expect", expected)]

    check_refusal(ask("POST", "/", headers=headers), 417, "expectation-failed")


def test_options_asterisk_lists_the_allowed_methods(ask: MiddlewareClient) -> None:
    answer = ask("OPTIONS", "*")

    assert (answer.status_code, answer.content) == (200, b"")
    assert "POST" in answer.headers["allow"]


def test_connection_in_the_reserve_is_answered_probes_only(ask: MiddlewareClient) -> None:
    state = {CROWDED: True}

    probe = ask("GET", "/readyz", state=dict(state))
    other = ask("GET", "/v1/limits", state=dict(state))

    check_refusal(other, 503, "too-many-connections")
    assert other.headers["retry-after"] == "1"
    assert probe.status_code == 200
    assert probe.headers["connection"] == other.headers["connection"] == "close"


def test_unparsable_request_is_answered_with_a_problem_document(ask: MiddlewareClient) -> None:
    problem = RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", "so it is")
    answer = ask("", "", headers=[], state={REFUSAL: problem})

    check_refusal(answer, 400, "malformed-request")
    assert answer.headers["connection"] == "close"


def test_draining_server_answers_probes_and_refuses_other_requests(ask: MiddlewareClient) -> None:
    ask.drain.closed = True

    check_refusal(ask("GET", "/v1/limits"), 503, "draining")
    assert ask("GET", "/livez").status_code == 200


def test_every_response_has_no_store_and_nosniff_headers(ask: MiddlewareClient) -> None:
    for answer in (ask("GET", "/livez"), ask("GET", "/"), ask("CONNECT", "/")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("allowed", ["GET", "POST", "GET, POST"])
def test_options_of_a_path_lists_the_same_methods_as_its_405_response(
    ask: MiddlewareClient, allowed: str
) -> None:
    ask.edge = RequestMiddleware(Response("no", 405, {"Allow": allowed}), ask.drain, ask._is_ready)
    head = ["HEAD"] if "GET" in allowed else []

    options, put = ask("OPTIONS", "/x"), ask("PUT", "/x")

    assert (options.status_code, options.content) == (200, b"")
    assert put.status_code == 405
    for answer in (options, put):
        assert answer.headers["allow"].split(", ") == sorted(
            [*allowed.split(", "), "OPTIONS", *head]
        )
