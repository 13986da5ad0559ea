"""Connection limits of a running server, in total and per address; probes are always answered."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.service.server import Server, serve
from tests.service.wire import code_of, connect, get, read_until_closed, send
from tests.waiting import until

HEADER_TIMEOUT = 2.0
CONNECTIONS, PER_ADDRESS = 40, 20
SLOW_BODY = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"


@pytest.fixture(scope="module")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHESTXRAY_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT),
        "CHESTXRAY_MAX_CONNECTIONS": str(CONNECTIONS),
        "CHESTXRAY_MAX_CONNECTIONS_PER_ADDRESS": str(PER_ADDRESS),
    }
    with serve(tmp_path_factory.mktemp("bounds"), **settings) as running:
        yield running


@contextlib.contextmanager
def held_connections(
    server: Server, count: int, start: bytes, *, host: str = "127.0.0.1"
) -> Iterator[None]:
    """Holds open connections that have sent the start of a request."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            send(stack.enter_context(connect(server, host)), start)
        yield


def test_silent_connections_are_closed_after_the_header_timeout(limited_server: Server) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(CONNECTIONS + 20):
            idle.enter_context(connect(limited_server))
        assert get(limited_server, "/v1/limits").status == 503

        until(lambda: get(limited_server, "/v1/limits").status == 200, seconds=HEADER_TIMEOUT + 3)


def test_one_address_cannot_take_all_connections(limited_server: Server) -> None:
    with held_connections(limited_server, PER_ADDRESS, SLOW_BODY):
        same, other = (
            get(limited_server, "/v1/limits"),
            get(limited_server, "/v1/limits", host="127.0.0.2"),
        )

    assert (same.status, code_of(same)) == (503, "too-many-connections")
    assert same.headers["retry-after"]
    assert other.status == 200


def test_probes_are_answered_when_all_connections_are_taken(limited_server: Server) -> None:
    with (
        held_connections(limited_server, PER_ADDRESS, SLOW_BODY),
        held_connections(limited_server, PER_ADDRESS, SLOW_BODY, host="127.0.0.2"),
    ):
        probes = [
            get(limited_server, path, host="127.0.0.3").status for path in ("/livez", "/readyz")
        ]
        other = get(limited_server, "/v1/limits", host="127.0.0.3")
        started = time.monotonic()
        with connect(limited_server, "127.0.0.3") as silent:
            read_until_closed(silent)
        waited = time.monotonic() - started

    assert probes == [200, 200]
    assert (other.status, code_of(other)) == (503, "too-many-connections")
    assert waited < HEADER_TIMEOUT - 0.3


def test_connections_reserved_for_probes_cannot_be_held(limited_server: Server) -> None:
    with (
        held_connections(limited_server, PER_ADDRESS, SLOW_BODY),
        held_connections(limited_server, PER_ADDRESS, SLOW_BODY, host="127.0.0.2"),
        held_connections(
            limited_server, 200, b"POST /livez HTTP/1.1\r\nHost: x\r\n", host="127.0.0.3"
        ),
    ):
        assert get(limited_server, "/livez", host="127.0.0.4").status == 200


def test_idle_connection_is_evicted_for_a_new_one(limited_server: Server) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with held_connections(limited_server, PER_ADDRESS, request):
        until(lambda: get(limited_server, "/v1/limits").status == 200, seconds=10)
