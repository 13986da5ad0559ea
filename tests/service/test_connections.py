"""What comes before a request, or is none: ports, sockets, slow and broken clients, smuggling."""

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from bentos.listeners import run_folder
from tests.phantoms import encode, phantom
from tests.service.server import Server, serve

HEADER_TIMEOUT, BODY_TIMEOUT, CONNECTIONS = 2.0, 2.0, 40


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHESTXRAY_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT),
        "CHESTXRAY_BODY_TIMEOUT_SECONDS": str(BODY_TIMEOUT),
        "CHESTXRAY_MAX_CONNECTIONS": str(CONNECTIONS),
    }
    with serve(tmp_path_factory.mktemp("strict"), **settings) as running:
        yield running


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(server)), timeout=20)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:
        pass
    return received


def send(server: Server, request: bytes) -> bytes:
    with connect(server) as connection:
        connection.sendall(request)
        return everything(connection)


def test_the_public_port_is_the_only_one(strict: Server) -> None:
    """Traps 14 and 24: whatever else listens could be asked to run code."""
    listening = {
        connection.laddr.port
        for process in strict.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {port_of(strict)}


def test_inner_sockets_are_this_users_alone(strict: Server) -> None:
    folder = run_folder(port_of(strict))
    sockets = sorted(folder.glob("*.sock"))

    assert [path.stem for path in sockets] == ["covid_classifier", "xray_filter"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()
    for path in sockets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/v1/../../etc/passwd", "/%2e%2e/etc"]
)
def test_no_path_leads_out_of_the_page(strict: Server, path: str) -> None:
    answer = send(strict, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert answer.split()[1] in (b"400", b"404")
    assert b"root:" not in answer


def test_oversized_headers_are_refused(strict: Server) -> None:
    answer = send(strict, b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 2**20 + b"\r\n\r\n")

    assert not answer or answer.split()[1] in (b"400", b"431")
    assert httpx.get(f"{strict.url}/livez").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_do_not_come_are_waited_for_no_longer_than_said(
    strict: Server, sent: bytes
) -> None:
    """Slowloris."""
    started = time.monotonic()
    with connect(strict) as connection:
        connection.sendall(sent)
        answer = everything(connection)

    assert b" 408 " in answer
    assert HEADER_TIMEOUT - 0.2 <= time.monotonic() - started < HEADER_TIMEOUT + 3


def test_headers_that_drip_are_cut_off_all_the_same(strict: Server) -> None:
    started = time.monotonic()
    with connect(strict) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        try:
            while time.monotonic() - started < 10:
                connection.sendall(b"X-A: b\r\n")
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass

    assert time.monotonic() - started < HEADER_TIMEOUT + 3


def test_second_request_of_a_connection_has_as_long(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        assert b" 408 " in everything(connection)


def test_body_that_stops_is_told_so(strict: Server) -> None:
    head = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
    with connect(strict) as connection:
        connection.sendall(head)
        answer = everything(connection)

    assert b" 408 " in answer
    assert b"body-timeout" in answer


def test_slow_clients_take_no_connection_from_others_for_long(strict: Server) -> None:
    idle = [connect(strict) for _ in range(CONNECTIONS + 20)]
    time.sleep(HEADER_TIMEOUT + 1)

    assert httpx.get(f"{strict.url}/livez").status_code == 200
    for connection in idle:
        connection.close()


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SHAPES = {
    "both lengths": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    % (5 + len(SMUGGLED)),
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    "list of lengths": b"Content-Length: 0, %d\r\n\r\n" % len(SMUGGLED),
    "signed length": b"Content-Length: +0\r\n\r\n",
    "hexadecimal length": b"Content-Length: 0x0\r\n\r\n",
    "unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "encoding after a space": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "encoding twice": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "folded header": b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0x\r\n\r\n",
    "chunk of a bad size": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "bare line feeds in a name": b"Content-Length\n: 0\r\n\r\n",
    "null in a header": b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_second_request_is_smuggled_in(strict: Server, shape: bytes) -> None:
    """A proxy in front might have taken the rest for a body."""
    request = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\n" + shape + SMUGGLED
    answer = send(strict, request)

    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not answer or answer.split()[1] in (b"400", b"413", b"415", b"501")


@pytest.mark.parametrize("route", ["/livez", "/metrics", "/"])
def test_nor_behind_another_route(strict: Server, route: str) -> None:
    request = f"POST {route} HTTP/1.1\r\nHost: x\r\n".encode() + SHAPES["both lengths"] + SMUGGLED

    assert send(strict, request).count(b"HTTP/1.1 ") == 1


def test_answers_have_the_headers_of_a_careful_site(strict: Server) -> None:
    page = httpx.get(strict.url)
    problem = httpx.get(f"{strict.url}/nowhere")

    for answer in (page, problem):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"]


def test_client_that_leaves_is_worked_for_no_longer(strict: Server, tmp_path: Path) -> None:
    runner = strict.runner("XRayFilter")
    head = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    image = encode(phantom(300, 300), "PNG")
    before = strict.total("chestxray_dropped_total", stage="filter")
    runner.suspend()
    try:
        for _ in range(3):
            with connect(strict) as connection:
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(image) + image)
                time.sleep(0.5)
        time.sleep(0.5)
        assert strict.total("chestxray_in_flight", stage="admitted") == 0
    finally:
        runner.resume()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if strict.total("chestxray_dropped_total", stage="filter") >= before + 2:
            break
        time.sleep(0.2)

    assert strict.total("chestxray_dropped_total", stage="filter") == before + 2
