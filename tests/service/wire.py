"""Raw requests and responses, for what no HTTP library would send."""

import contextlib
import json
import socket
import time
from dataclasses import dataclass

import h11

from tests.service.server import Server

_LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: last\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


def connect(server: Server, host: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20, source_address=(host, 0)
    )
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(connection: socket.socket, *parts: bytes | float) -> None:
    """Sends each item in a separate packet; numbers are pauses in seconds."""
    for part in parts:
        if isinstance(part, bytes):
            connection.sendall(part)
        else:
            time.sleep(part)


def receive(connection: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """Reads until the other side closes or is silent for too long; also returns whether it
    closed.
    """
    connection.settimeout(seconds)
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except TimeoutError:
        return received, False
    except ConnectionResetError:
        pass
    return received, True


def answers_to(server: Server, *parts: bytes | float) -> list[Answer]:
    """The responses on a new connection before a final request, or until it is closed."""
    with connect(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(connection, *parts, _LAST)
        received, closed = receive(connection, seconds=20)
    assert closed, received
    found = parse(received)
    return found[:-1] if found[-1].headers["x-request-id"] == "last" else found


def parse(received: bytes) -> list[Answer]:
    """Final responses in order; fails if there is other data."""
    found = []
    while received:
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(received)
        start = parser.next_event()
        while isinstance(start, h11.InformationalResponse):
            start = parser.next_event()
        assert isinstance(start, h11.Response), received[:200]
        body, event = b"", parser.next_event()
        while isinstance(event, h11.Data):
            body, event = body + bytes(event.data), parser.next_event()
        assert isinstance(event, h11.EndOfMessage), received[-200:]
        headers = {name.decode(): value.decode() for name, value in start.headers}
        found.append(Answer(start.status_code, headers, body))
        received = parser.trailing_data[0]
    return found


def read_until_closed(connection: socket.socket) -> bytes:
    """Reads until the other side closes."""
    received, closed = receive(connection, seconds=20)
    assert closed
    return received


def get(server: Server, path: str, *, host: str = "127.0.0.1") -> Answer:
    """Sends a request on a new connection, from a given local address."""
    with connect(server, host) as connection:
        send(connection, b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
        (answer,) = parse(read_until_closed(connection))
    return answer


def code_of(answer: Answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    return str(json.loads(answer.body)["code"])
