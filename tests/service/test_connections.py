"""Before and around requests: ports, sockets, slow and broken clients, request smuggling."""

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
from tests.service.server import Server, serve
from tests.service.wire import answers_to, code_of, connect, everything, get, parse, send
from tests.waiting import until

HEADER_TIMEOUT, BODY_TIMEOUT, KEEP_ALIVE = 2.0, 2.0, 3.0
SLOW_BODY = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHESTXRAY_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT),
        "CHESTXRAY_BODY_TIMEOUT_SECONDS": str(BODY_TIMEOUT),
        "CHESTXRAY_KEEP_ALIVE_TIMEOUT_SECONDS": str(KEEP_ALIVE),
        "CHESTXRAY_MODEL_THREADS": "1",  # of several images one is computed at a time
    }
    with serve(tmp_path_factory.mktemp("strict"), **settings) as running:
        yield running


def test_the_public_port_is_the_only_one(strict: Server) -> None:
    """Traps 14 and 24: whatever else listens could be asked to run code."""
    listening = {
        connection.laddr.port
        for process in strict.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {int(strict.url.rpartition(":")[2])}


def test_inner_sockets_are_this_users_alone(strict: Server) -> None:
    folder = run_folder(int(strict.url.rpartition(":")[2]))
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
    answer = get(strict, path)

    assert answer.status in (400, 404)
    assert code_of(answer)


@pytest.mark.parametrize(
    "more",
    [b"X-Large: " + b"x" * 2**20, b"X-Large: " + b"x" * 2**16, b"X: y\r\n" * 300],
    ids=["a megabyte", "in one packet", "many"],
)
def test_oversized_headers_are_refused(strict: Server, more: bytes) -> None:
    (answer,) = answers_to(strict, b"GET / HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n\r\n")

    assert (answer.status, code_of(answer)) == (431, "headers-too-large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_do_not_come_are_waited_for_no_longer_than_said(
    strict: Server, sent: bytes
) -> None:
    """Slowloris."""
    started = time.monotonic()
    with connect(strict) as connection:
        connection.sendall(sent)
        (answer,) = parse(everything(connection))

    assert (answer.status, code_of(answer)) == (408, "header-timeout")
    assert answer.headers["connection"] == "close"
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
    with connect(strict) as connection:
        connection.sendall(SLOW_BODY)
        answer = everything(connection)

    assert b" 408 " in answer
    assert b"body-timeout" in answer


def test_a_connection_may_be_idle_as_long_as_is_said(strict: Server) -> None:
    """Shorter than a proxy's, and requests that it sends at that moment are lost."""
    with connect(strict) as connection:
        send(connection, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):  # headers and body may come apart
            answer += connection.recv(65536)
        started = time.monotonic()
        assert everything(connection) == b""

    assert KEEP_ALIVE - 0.2 <= time.monotonic() - started < KEEP_ALIVE + 2


def test_idle_connections_are_kept_longer_than_proxies_keep_theirs() -> None:
    assert Settings().keep_alive_timeout_seconds > 75


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_no_probe_holds_a_connection(strict: Server, method: str, path: str) -> None:
    started = time.monotonic()
    (answer,) = answers_to(strict, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert (answer.status, code_of(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_client_that_sends_no_more_has_its_answer(
    strict: Server, png: bytes, version: bytes
) -> None:
    """Like `nc -N`: half-closes the connection and reads on."""
    length = b"Content-Length: %d\r\n\r\n" % len(png)
    start = b"POST /v1/analyses HTTP/" + version + b"\r\nHost: x\r\nContent-Type: image/png\r\n"
    model = strict.worker("XRayFilter")
    model.suspend()  # so that it is looked for meanwhile
    try:
        with connect(strict) as connection:
            send(connection, start + length + png)
            connection.shutdown(socket.SHUT_WR)
            until(lambda: strict.total("chestxray_in_flight", stage="filter") == 1)
            model.resume()
            (answer,) = parse(everything(connection))
    finally:
        model.resume()

    assert answer.status in (200, 422)


def test_a_pipelining_client_that_leaves_is_no_error(strict: Server) -> None:
    before = len(strict.log.read_text())
    for _ in range(5):
        with connect(strict) as connection:
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            send(connection, b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n" * 20, 0.003)
    assert get(strict, "/livez").status == 200

    log = strict.log.read_text()[before:]
    assert "Traceback" not in log
    assert "ERROR" not in log


def peers(server: Server) -> set[int]:
    """The ports of those that are connected to it."""
    return {
        each.raddr.port
        for process in server.processes()
        for each in process.net_connections("tcp")
        if each.raddr
    }


def test_a_client_that_does_not_read_is_cut_off(strict: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(strict.url.rpartition(":")[2])))
        large = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(large * 20)
        until(lambda: connection.getsockname()[1] in peers(strict))
        until(lambda: connection.getsockname()[1] not in peers(strict))


def test_requests_leave_nothing_behind(strict: Server) -> None:
    """Each held 4.9 KB for two minutes, by a timer that outlived it."""
    rounds, burst = 30, 50
    gateway = next(each for each in strict.processes() if "Gateway" in each.cmdline())

    def ask() -> int:
        for _ in range(rounds):
            answers_to(strict, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * burst)
        return int(gateway.memory_info().rss)

    before = ask()
    assert (ask() - before) / (rounds * burst) < 1000


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
    model = strict.worker("XRayFilter")
    head = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    image = encode(phantom(300, 300), "PNG")
    before = strict.total("chestxray_dropped_total", stage="filter")
    model.suspend()
    try:
        for _ in range(3):
            with connect(strict) as connection:
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(image) + image)
                until(lambda: strict.total("chestxray_in_flight", stage="filter") == 1)
            until(lambda: strict.total("chestxray_in_flight", stage="admitted") == 0)
    finally:
        model.resume()

    until(lambda: strict.total("chestxray_dropped_total", stage="filter") == before + 2)
