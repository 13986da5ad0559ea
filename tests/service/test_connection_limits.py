"""Who may connect to a running server, by address and in all, and that probes always can."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.service.server import Server, serve
from tests.service.wire import code_of, connect, everything, get, send
from tests.waiting import until

HEADER_TIMEOUT = 2.0
CONNECTIONS, OF_ONE = 40, 20
SLOW_BODY = b"POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHESTXRAY_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT),
        "CHESTXRAY_MAX_CONNECTIONS": str(CONNECTIONS),
        "CHESTXRAY_MAX_CONNECTIONS_PER_ADDRESS": str(OF_ONE),
    }
    with serve(tmp_path_factory.mktemp("bounds"), **settings) as running:
        yield running


@contextlib.contextmanager
def held(server: Server, count: int, start: bytes, *, host: str = "127.0.0.1") -> Iterator[None]:
    """Connections that have sent something, and stay."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            send(stack.enter_context(connect(server, host)), start)
        yield


def test_slow_clients_take_no_connection_from_others_for_long(strict: Server) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(CONNECTIONS + 20):
            idle.enter_context(connect(strict))
        assert get(strict, "/v1/limits").status == 503

        until(lambda: get(strict, "/v1/limits").status == 200, seconds=HEADER_TIMEOUT + 3)


def test_one_address_has_not_all_connections(strict: Server) -> None:
    with held(strict, OF_ONE, SLOW_BODY):
        same, other = get(strict, "/v1/limits"), get(strict, "/v1/limits", host="127.0.0.2")

    assert (same.status, code_of(same)) == (503, "too-many-connections")
    assert same.headers["retry-after"]
    assert other.status == 200


def test_probes_are_answered_where_there_is_no_connection_left(strict: Server) -> None:
    with held(strict, OF_ONE, SLOW_BODY), held(strict, OF_ONE, SLOW_BODY, host="127.0.0.2"):
        probes = [get(strict, path, host="127.0.0.3").status for path in ("/livez", "/readyz")]
        other = get(strict, "/v1/limits", host="127.0.0.3")
        started = time.monotonic()
        with connect(strict, "127.0.0.3") as silent:
            everything(silent)
        waited = time.monotonic() - started

    assert probes == [200, 200]
    assert (other.status, code_of(other)) == (503, "too-many-connections")
    assert waited < HEADER_TIMEOUT - 0.3


def test_the_reserve_for_probes_cannot_be_held(strict: Server) -> None:
    with (
        held(strict, OF_ONE, SLOW_BODY),
        held(strict, OF_ONE, SLOW_BODY, host="127.0.0.2"),
        held(strict, 200, b"POST /livez HTTP/1.1\r\nHost: x\r\n", host="127.0.0.3"),
    ):
        assert get(strict, "/livez", host="127.0.0.4").status == 200


def test_an_idle_connection_makes_way(strict: Server) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with held(strict, OF_ONE, request):
        until(lambda: get(strict, "/v1/limits").status == 200, seconds=10)
