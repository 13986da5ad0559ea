"""HTTP semantics of RFC 9110 over the wire: methods, targets, upgrades, and problem responses."""

import httpx
import pytest

from tests.service.server import Server
from tests.service.wire import answers_to, code_of, get

GET_PATHS = ["/", "/metrics", "/v1/limits", "/v1/models", "/v1/examples", "/v1/projection"]
PAGES = ["/docs", "/redoc", "/docs/problems"]
ODD = [
    "/%0a",
    "/v1/%0alimits",
    "/%00",
    "/web/%00",
    "/examples/%00.png",
    "/thumbnails/%0a",
    "/%ff%fe",
    "/web/%ff",
    "/%0d%0aSet-Cookie:%20a=b",
    "//elsewhere.example/%2e%2e",
    "/thumbnails/" + "a" * 5000 + ".png",
    "/web/" + "a" * 5000,
    "/examples/" + "a" * 5000 + ".png",
]
UNPARSED = {
    "TLS": bytes.fromhex("16030100c8010000c4030352") + bytes(200),
    "PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /v1/limits\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Hosts, old": b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "space in a name": b"GET / HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "text": b"hello, is there anybody?\r\n\r\n",
}


@pytest.mark.parametrize("path", [*GET_PATHS, *PAGES, "/openapi.json", "/web/main.js"])
def test_head_returns_the_headers_of_get_without_a_body(server: Server, path: str) -> None:
    head, whole = httpx.head(server.url + path), httpx.get(server.url + path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert "content-length" in head.headers


@pytest.mark.parametrize("path", [*GET_PATHS, *PAGES, "/v1/analyses", "/v1/analyses/batch"])
def test_options_lists_the_allowed_methods(server: Server, path: str) -> None:
    answer = httpx.options(server.url + path)

    assert answer.status_code == 200
    assert ("POST" if "analyses" in path else "HEAD") in answer.headers["allow"]


def test_haproxy_health_check_without_a_host_header_succeeds(server: Server) -> None:
    (answer,) = answers_to(server, b"OPTIONS / HTTP/1.0\r\n\r\n")
    (all_paths,) = answers_to(server, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.status == all_paths.status == 200


@pytest.mark.parametrize("path", ODD)
def test_unusual_path_is_answered_with_a_problem(server: Server, path: str) -> None:
    answer = get(server, path)

    assert answer.status in (400, 404)
    assert code_of(answer)


@pytest.mark.parametrize(
    "path", [*GET_PATHS, *PAGES, "/web", "/web/locales", "/examples", "/static-offline-docs"]
)
def test_no_path_is_redirected(server: Server, path: str) -> None:
    """A redirect would contain the internal host and scheme behind a proxy."""
    for found in (path, path.rstrip("/") + "/", path + "//"):
        answer = get(server, found)
        assert "location" not in answer.headers, found
        assert answer.status in (200, 400, 404), found


@pytest.mark.parametrize("path", ["/v1/analyses/", "/v1/analyses/batch/"])
def test_trailing_slash_reaches_the_same_route(server: Server, png: bytes, path: str) -> None:
    answer = httpx.post(server.url + path, files={"image": ("x.png", png)}, timeout=60)

    assert answer.status_code in (200, 422)


@pytest.mark.parametrize("sent", UNPARSED.values(), ids=UNPARSED)
def test_malformed_request_is_answered_with_a_problem(server: Server, sent: bytes) -> None:
    (answer,) = answers_to(server, sent)

    assert (answer.status, code_of(answer)) == (400, "malformed-request")
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.1", "HTTP/0.9"])
def test_unsupported_http_version_is_answered_505(server: Server, version: str) -> None:
    (answer,) = answers_to(server, f"PRI * {version}\r\n\r\nSM\r\n\r\n".encode())

    assert (answer.status, code_of(answer)) == (505, "unsupported-http-version")


def test_websocket_upgrade_is_ignored(server: Server) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
    (answer,) = answers_to(server, b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n" + upgrade)

    assert answer.status == 200


@pytest.mark.parametrize("path", PAGES)
def test_content_security_policy_allows_only_own_scripts(server: Server, path: str) -> None:
    policy = httpx.get(server.url + path).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    assert "unsafe" not in scripts
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY", "JOHN_DOE", "get"])
@pytest.mark.parametrize("path", ["/", "/v1/limits", "/v1/analyses", "/metrics", "/livez"])
def test_unsupported_method_is_answered_405(server: Server, path: str, method: str) -> None:
    line = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Secret: kept\r\n\r\n"
    (answer,) = answers_to(server, line.encode())

    assert (answer.status, code_of(answer)) == (405, "method-not-allowed")
    assert method not in answer.headers["allow"]
    assert b"kept" not in answer.body


def test_unknown_method_is_not_logged(server: Server) -> None:
    answers_to(server, b"MARIA-SILVA-1970 /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")

    assert "MARIA" not in server.log.read_text()
