"""Both clients against servers that close, hang and delay."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bentos.gateway.examples import ANSWERS
from chestxray.client import ConnectionFailed, DeadlineExceeded, Retries
from tests.unit.chestxray.client.calling import AT_ONCE, KINDS, call_network

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.timeout(30)]

BODY = json.dumps(ANSWERS["analyse_image"]).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
    BODY
)

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def serving(*behaviours: Behaviour) -> Iterator[str]:
    """The address of a server that treats its nth connection by the nth behaviour."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for behave in behaviours:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    behave(connection, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def receive(connection: socket.socket) -> None:
    """Reads a whole request, whose image is the five bytes `image`."""
    received = b""
    while not received.endswith(b"\r\n\r\nimage"):
        received += connection.recv(65536)


def close(connection: socket.socket, over: threading.Event) -> None:
    receive(connection)


def close_within_the_answer(connection: socket.socket, over: threading.Event) -> None:
    receive(connection)
    connection.sendall(HEAD + BODY[:-1])


def answer(connection: socket.socket, over: threading.Event) -> None:
    receive(connection)
    connection.sendall(HEAD + BODY)


def hang(connection: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def send_slowly(connection: socket.socket, over: threading.Event) -> None:
    receive(connection)
    try:
        connection.sendall(HEAD)
        for position in range(len(BODY)):
            connection.sendall(BODY[position : position + 1])
            if over.wait(0.05):
                return
    except OSError:  # the client has left
        return


@pytest.mark.parametrize("lose", [close, close_within_the_answer])
def test_connection_lost_before_the_end_of_the_answer_is_tried_again(
    kind: str, lose: Behaviour
) -> None:
    with serving(lose, answer) as url:
        found = call_network(kind, url, timeout=10, retries=AT_ONCE)

    assert found.prediction.label == "no_finding"


def test_refused_connection_is_tried_to_the_end(kind: str) -> None:
    with serving() as url:
        pass

    with pytest.raises(ConnectionFailed, match="ConnectError"):
        call_network(kind, url, timeout=10, retries=Retries(tries=2, first_pause=0.01))


@pytest.mark.parametrize("delay", [hang, send_slowly])
def test_deadline_is_kept(kind: str, delay: Behaviour) -> None:
    with serving(delay) as url:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            call_network(kind, url, timeout=0.5, retries=AT_ONCE)
        seconds = time.monotonic() - started

    assert 0.4 < seconds < 3
