"""The parser reads a request however its bytes are split, and rejects malformed ones early."""

import itertools

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentos.http.parsing import MAX_HEADER_BYTES, MAX_HEADERS, Parser

START = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


def events(parser: Parser, *pieces: bytes) -> list[object]:
    """The events that the parser makes of the bytes."""
    found: list[object] = []
    for piece in pieces:
        parser.receive_data(piece)
        while True:
            event = parser.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                if not parser.interrupted:
                    break
                parser.go_on()
            else:
                found.append(event)
        parser.go_on()
    return found


def refusal(*pieces: bytes) -> tuple[int, str]:
    parser = Parser()
    with pytest.raises(h11.RemoteProtocolError):
        events(parser, *pieces)
    assert parser.problem is not None
    return parser.problem.status, parser.problem.code


@given(st.lists(st.integers(0, 120), max_size=8))
def test_request_is_parsed_the_same_however_it_is_split_into_packets(cuts: list[int]) -> None:
    request = b"\r\n" + CHUNKED + b"3\r\nabc\r\n4;x=y\r\nGET \r\n0\r\nX: y\r\n\r\n"
    places = sorted({0, len(request), *(min(cut, len(request)) for cut in cuts)})
    pieces = [request[start:end] for start, end in itertools.pairwise(places)]

    start, *data, end = events(Parser(), *pieces)

    assert isinstance(start, h11.Request)
    assert b"".join(bytes(each.data) for each in data if isinstance(each, h11.Data)) == b"abcGET "
    assert isinstance(end, h11.EndOfMessage)


@pytest.mark.parametrize("start", [START, b"GET / HTTP/1.1", b"\n", b"GET / HTTP/1.1\r\nHost: x"])
def test_bare_line_feed_is_rejected_as_soon_as_it_arrives(start: bytes) -> None:
    assert refusal(start, b"\n") == (400, "malformed-request")


def test_malformed_chunk_size_line_is_rejected_as_soon_as_it_arrives() -> None:
    assert refusal(CHUNKED, b"5\n") == (400, "malformed-request")


@pytest.mark.parametrize("pieces", [1, 2, 70])
def test_headers_above_the_size_limit_are_rejected(pieces: int) -> None:
    long = START + b"X: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n"
    length = len(long) // pieces + 1
    sent = [long[i : i + length] for i in range(0, len(long), length)]

    assert refusal(*sent) == (431, "headers-too-large")


def test_headers_above_the_count_limit_are_rejected() -> None:
    assert events(Parser(), START + b"X: y\r\n" * (MAX_HEADERS - 1) + b"\r\n")
    assert refusal(START + b"X: y\r\n" * MAX_HEADERS + b"\r\n") == (431, "headers-too-large")


def test_rejection_does_not_quote_the_rejected_header() -> None:
    parser = Parser()
    with pytest.raises(h11.RemoteProtocolError):
        events(parser, START + b"maria silva: 1970\r\n\r\n")

    assert parser.problem is not None
    assert "maria" not in parser.problem.detail


def test_parser_pauses_within_a_body_of_many_chunks() -> None:
    """40,000 chunks in one read blocked all other clients for a quarter of a second."""
    parser = Parser()
    parser.receive_data(CHUNKED + b"1\r\nx\r\n" * 5000)
    turn = 0
    while parser.next_event() is not h11.NEED_DATA:
        turn += 1

    assert parser.interrupted
    assert turn <= 1000
