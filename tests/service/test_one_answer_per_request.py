"""Request smuggling: a body is never parsed as a request, and each request has one response."""

import itertools
import re
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.server import Server
from tests.service.wire import Answer, answers_to, connect, send

SMUGGLED = b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n"
"""The smuggled request that the sender hopes to get a response to."""
PAUSE = 0.15
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
JAVA = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
UPGRADES = {
    "none": b"",
    "h2c": b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "unknown": b"Connection: Upgrade\r\nUpgrade: foo\r\n",
    "websocket": (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    ),
    "TLS": b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
    "without Connection": b"Upgrade: h2c\r\n",
    "Java": JAVA,
}
FRAMINGS = {
    "length": (b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
    "chunks": (b"Transfer-Encoding: chunked\r\n", CHUNKS),
}


def head(path: str, more: bytes, *, name: bytes = b"one") -> bytes:
    fixed = b"Host: x\r\nContent-Type: image/jpeg\r\nX-Request-ID: " + name + b"\r\n"
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + fixed + more + b"\r\n"


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("frame", FRAMINGS.values(), ids=FRAMINGS)
@pytest.mark.parametrize("path", ["/v1/analyses", "/nowhere", "/livez"])
def test_body_in_a_later_packet_is_not_parsed_as_a_request(
    server: Server, upgrade: bytes, frame: tuple[bytes, bytes], path: str
) -> None:
    length, body = frame
    start = head(path, upgrade + length)

    for parts in ([start, PAUSE, body], [start + body], [start + body[:9], PAUSE, body[9:]]):
        assert [answer.headers["x-request-id"] for answer in answers_to(server, *parts)] == ["one"]


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
def test_pipelined_requests_are_answered_in_order(server: Server, upgrade: bytes) -> None:
    length, body = FRAMINGS["length"]
    first, second = (
        head("/v1/analyses", upgrade + length) + body,
        head("/nowhere", b"", name=b"two"),
    )

    for parts in (
        [first + second],
        [first, PAUSE, second],
        [first[:-3], PAUSE, first[-3:] + second],
    ):
        found = answers_to(server, *parts)
        assert [answer.headers["x-request-id"] for answer in found] == ["one", "two"]
        assert [answer.status for answer in found] == [415, 404]


def test_request_of_javas_default_client_is_answered(server: Server, png: bytes) -> None:
    """Java's client offers h2c on each request and sends the body separately from the headers."""
    start = head("/v1/analyses?heatmap=none", JAVA + b"Content-Length: %d\r\n" % len(png))

    (answer,) = answers_to(server, start.replace(b"image/jpeg", b"image/png"), PAUSE, png)

    assert answer.status in (200, 422)
    assert b'"filter"' in answer.body


AMBIGUOUS_FRAMINGS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, other order": CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    "two equal lengths": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "signed length": b"Content-Length: +0\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "hexadecimal length": b"Content-Length: 0x0\r\n\r\n",
    "length with an underscore": b"Content-Length: 0_0\r\n\r\n",
    "empty length": b"Content-Length:\r\n\r\n",
    "huge length": b"Content-Length: 99999999999999999999999\r\n\r\n",
    "length before a space": b"Content-Length : 0\r\n\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "gzip and chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two headers of codings": CHUNKED + b"Transfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "empty coding": b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "coding after a vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "folded header": b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "header after a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "header after a bare CR": b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "headers that end in LF": b"Content-Length: 0\n\n",
    "null in a header": b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "other control in a header": b"X: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "chunk of a prefixed size": CHUNKED + b"\r\n0x0\r\n\r\n",
    "chunk of a signed size": CHUNKED + b"\r\n+0\r\n\r\n",
    "chunk of a huge size": CHUNKED + b"\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "chunk after LF": CHUNKED + b"\r\n0\n\n",
    "extension with LF": CHUNKED + b"\r\n2;\nxx\r\n0\r\n\r\n",
    "extension with CR": CHUNKED + b"\r\n2;\rxx\r\nab\r\n0\r\n\r\n",
    "chunk that is too long": CHUNKED + b"\r\n1\r\nhello\r\n0\r\n\r\n",
    "trailers that end in LF": CHUNKED + b"\r\n0\r\nX: y\n\n",
}


@pytest.mark.parametrize("framing", AMBIGUOUS_FRAMINGS.values(), ids=AMBIGUOUS_FRAMINGS)
def test_request_with_ambiguous_framing_is_rejected(server: Server, framing: bytes) -> None:
    request = head("/v1/analyses", b"")[:-2] + framing

    for parts in ([request + SMUGGLED], [request, PAUSE, SMUGGLED]):
        (answer,) = answers_to(server, *parts)
        assert answer.status in (400, 501)
        check_headers(answer)


def check_headers(answer: Answer) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r"[\w.-]+", answer.headers["x-request-id"])
    assert b'"code":"' in answer.body


def test_chunked_body_in_http_1_0_is_rejected(server: Server) -> None:
    request = head("/v1/analyses", b"Transfer-Encoding: chunked\r\n").replace(b"1.1", b"1.0")

    (answer,) = answers_to(server, request + CHUNKS + SMUGGLED)

    assert answer.status == 400
    check_headers(answer)


def test_connection_closes_after_a_rejected_expect_continue(server: Server) -> None:
    """A proxy that does not send the body would have its next client's request read as the body."""
    expects = b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(SMUGGLED)
    start = head("/v1/analyses", expects).replace(b"image/jpeg", b"application/json")

    (answer,) = answers_to(server, start, PAUSE, SMUGGLED)

    assert answer.status == 415
    check_headers(answer)


def test_expect_continue_is_answered_100_before_the_body_is_read(
    server: Server, png: bytes
) -> None:
    expects = b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(png)
    with connect(server) as connection:
        send(connection, head("/v1/analyses", expects).replace(b"jpeg", b"png"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        send(connection, png)
        answer = connection.recv(1000)

    assert answer.split()[1] in (b"200", b"422")


def test_empty_lines_after_a_body_are_ignored(server: Server) -> None:
    first = head("/v1/analyses", b"Content-Length: 5\r\n") + b"hello\r\n\r\n"

    found = answers_to(server, first + head("/nowhere", b"", name=b"two"))

    assert [answer.headers["x-request-id"] for answer in found] == ["one", "two"]


@dataclass(frozen=True)
class Request:
    """One of the requests on a connection."""

    method: str
    path: str
    more: bytes
    body: bytes
    chunk: int  # bytes of one, or 0 where the length is said

    def wire(self, name: int) -> bytes:
        line = (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: r{name}\r\n".encode()
        )
        start = line + b"Content-Type: image/jpeg\r\n" + self.more
        if not self.chunk:
            length = b"Content-Length: %d\r\n" % len(self.body) if self.body else b""
            return start + length + b"\r\n" + self.body
        pieces = [self.body[i : i + self.chunk] for i in range(0, len(self.body), self.chunk)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(["/v1/analyses", "/v1/limits", "/nowhere", "/livez", "/v1/analyses/"]),
    more=st.sampled_from(list(UPGRADES.values())),
    body=st.sampled_from(
        [b"", SMUGGLED, SMUGGLED * 3, b"0\r\n\r\n" + SMUGGLED, b"\r\n" * 9 + SMUGGLED, b"x"]
    ),
    chunk=st.sampled_from([0, 0, 1, 7, 1000]),
)


@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=6),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    pause=st.sampled_from([0.0, 0.002, 0.02]),
)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_pipelined_request_gets_exactly_one_response(
    server: Server, requests: list[Request], cuts: list[float], pause: float
) -> None:
    """However the bytes are split into packets; the contents of bodies are not answered."""
    sent = b"".join(request.wire(i) for i, request in enumerate(requests))
    places = sorted({0, len(sent), *(int(cut * len(sent)) for cut in cuts)})
    pieces = [sent[start:end] for start, end in itertools.pairwise(places)]
    found = answers_to(server, *itertools.chain(*((piece, pause) for piece in pieces)))

    names = [answer.headers["x-request-id"] for answer in found]
    assert names == [f"r{i}" for i in range(len(requests))]
