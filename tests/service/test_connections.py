"""Connections of a running server: ports, sockets, slow and broken clients."""

import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from bentos.process.sockets import run_folder
from bentos.settings import Settings
from tests.phantoms import encode, phantom
from tests.service.server import Server, command_of, serve, while_running
from tests.service.wire import answers_to, code_of, connect, get, parse, read_until_closed, send
from tests.waiting import until

HEADER_TIMEOUT, BODY_TIMEOUT, KEEP_ALIVE = 2.0, 2.0, 3.0
SLOW_BODY = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHESTXRAY_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT),
        "CHESTXRAY_BODY_TIMEOUT_SECONDS": str(BODY_TIMEOUT),
        "CHESTXRAY_KEEP_ALIVE_TIMEOUT_SECONDS": str(KEEP_ALIVE),
        "CHESTXRAY_MODEL_THREADS": "1",  # of several images one is computed at a time
    }
    with serve(tmp_path_factory.mktemp("strict"), **settings) as running:
        yield running


def test_server_listens_only_on_its_public_port(strict_server: Server) -> None:
    """Traps 14 and 24: any other open port could be used to run code."""
    listening = {
        connection.laddr.port
        for process in strict_server.processes()
        for connection in while_running(process.net_connections, "inet", ended=[])
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {int(strict_server.url.rpartition(":")[2])}


def test_internal_sockets_are_accessible_to_this_user_only(strict_server: Server) -> None:
    folder = run_folder(int(strict_server.url.rpartition(":")[2]))
    sockets = sorted(folder.glob("*.sock"))

    assert [path.stem for path in sockets] == ["covid_classifier", "xray_filter"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()
    for path in sockets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/v1/../../etc/passwd", "/%2e%2e/etc"]
)
def test_path_traversal_is_rejected(strict_server: Server, path: str) -> None:
    answer = get(strict_server, path)

    assert answer.status in (400, 404)
    assert code_of(answer)


@pytest.mark.parametrize(
    "more",
    [b"X-Large: " + b"x" * 2**20, b"X-Large: " + b"x" * 2**16, b"X: y\r\n" * 300],
    ids=["a megabyte", "in one packet", "many"],
)
def test_oversized_headers_are_rejected(strict_server: Server, more: bytes) -> None:
    (answer,) = answers_to(strict_server, b"GET / HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n\r\n")

    assert (answer.status, code_of(answer)) == (431, "headers-too-large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_incomplete_headers_are_answered_408_after_the_header_timeout(
    strict_server: Server, sent: bytes
) -> None:
    """Slowloris."""
    started = time.monotonic()
    with connect(strict_server) as connection:
        connection.sendall(sent)
        (answer,) = parse(read_until_closed(connection))

    assert (answer.status, code_of(answer)) == (408, "header-timeout")
    assert answer.headers["connection"] == "close"
    assert HEADER_TIMEOUT - 0.2 <= time.monotonic() - started < HEADER_TIMEOUT + 3


def test_slowly_sent_headers_are_cut_off_at_the_header_timeout(strict_server: Server) -> None:
    started = time.monotonic()
    with connect(strict_server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        try:
            while time.monotonic() - started < 10:
                connection.sendall(b"X-A: b\r\n")
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass

    assert time.monotonic() - started < HEADER_TIMEOUT + 3


def test_header_timeout_applies_to_later_requests_of_a_connection(strict_server: Server) -> None:
    with connect(strict_server) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        assert b" 408 " in read_until_closed(connection)


def test_stalled_body_is_answered_408(strict_server: Server) -> None:
    with connect(strict_server) as connection:
        connection.sendall(SLOW_BODY)
        answer = read_until_closed(connection)

    assert b" 408 " in answer
    assert b"body-timeout" in answer


def test_idle_connection_is_kept_for_the_keep_alive_timeout(strict_server: Server) -> None:
    """With a timeout below a proxy's, requests that the proxy sends at that moment are lost."""
    with connect(strict_server) as connection:
        send(connection, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):  # headers and body may come apart
            answer += connection.recv(65536)
        started = time.monotonic()
        assert read_until_closed(connection) == b""

    assert KEEP_ALIVE - 0.2 <= time.monotonic() - started < KEEP_ALIVE + 2


def test_keep_alive_timeout_exceeds_that_of_common_proxies() -> None:
    assert Settings().keep_alive_timeout_seconds > 75


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probe_with_another_method_is_answered_405_at_once(
    strict_server: Server, method: str, path: str
) -> None:
    started = time.monotonic()
    (answer,) = answers_to(strict_server, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert (answer.status, code_of(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_client_that_half_closes_its_connection_is_answered(
    strict_server: Server, png: bytes, version: bytes
) -> None:
    """Like `nc -N`, which half-closes the connection and keeps reading."""
    length = b"Content-Length: %d\r\n\r\n" % len(png)
    start = b"POST /v1/analyses HTTP/" + version + b"\r\nHost: x\r\nContent-Type: image/png\r\n"
    model = strict_server.worker("XRayFilter")
    model.suspend()  # so that it is looked for meanwhile
    try:
        with connect(strict_server) as connection:
            send(connection, start + length + png)
            connection.shutdown(socket.SHUT_WR)
            until(lambda: strict_server.total("chestxray_in_flight", stage="filter") == 1)
            model.resume()
            (answer,) = parse(read_until_closed(connection))
    finally:
        model.resume()

    assert answer.status in (200, 422)


def test_pipelining_client_that_disconnects_causes_no_logged_error(strict_server: Server) -> None:
    before = len(strict_server.log.read_text())
    for _ in range(5):
        with connect(strict_server) as connection:
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            send(connection, b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n" * 20, 0.003)
    assert get(strict_server, "/livez").status == 200

    log = strict_server.log.read_text()[before:]
    assert "Traceback" not in log
    assert "ERROR" not in log


def client_ports(server: Server) -> set[int]:
    """The ports of the clients that are connected to a server."""
    return {
        each.raddr.port
        for process in server.processes()
        for each in while_running(process.net_connections, "tcp", ended=[])
        if each.raddr
    }


def test_client_that_does_not_read_is_disconnected(strict_server: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(strict_server.url.rpartition(":")[2])))
        large = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(large * 20)
        until(lambda: connection.getsockname()[1] in client_ports(strict_server))
        until(lambda: connection.getsockname()[1] not in client_ports(strict_server))


def test_requests_leak_no_memory(strict_server: Server) -> None:
    """Each request used to hold 4.9 KB for two minutes through its timer."""
    rounds, burst = 30, 50
    gateway = next(each for each in strict_server.processes() if "Gateway" in command_of(each))

    def ask() -> int:
        for _ in range(rounds):
            answers_to(strict_server, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * burst)
        return int(gateway.memory_info().rss)

    before = ask()
    assert (ask() - before) / (rounds * burst) < 1000


def test_responses_have_security_headers(strict_server: Server) -> None:
    page = httpx.get(strict_server.url)
    problem = httpx.get(f"{strict_server.url}/nowhere")

    for answer in (page, problem):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"]


def test_request_of_a_disconnected_client_is_dropped(strict_server: Server, tmp_path: Path) -> None:
    model = strict_server.worker("XRayFilter")
    head = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    image = encode(phantom(300, 300), "PNG")
    before = strict_server.total("chestxray_dropped_total", stage="filter")
    model.suspend()
    try:
        for _ in range(3):
            with connect(strict_server) as connection:
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(image) + image)
                until(lambda: strict_server.total("chestxray_in_flight", stage="filter") == 1)
            until(lambda: strict_server.total("chestxray_in_flight", stage="admitted") == 0)
    finally:
        model.resume()

    until(lambda: strict_server.total("chestxray_dropped_total", stage="filter") == before + 2)
