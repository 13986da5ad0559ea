"""The parser of requests: h11, and stricter wherever another parser may read the bytes otherwise.

What a proxy in front takes for one request must be one request here, or a visitor gets the answer
to another's. So only what RFC 9112 lets a sender write is read: lines end in CRLF, no header is
folded, a body has one length. h11 keeps a body apart from the next request whatever `Upgrade` says.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

import h11
from h11._receivebuffer import ReceiveBuffer

from bentos.http.problems import RequestProblem

MAX_HEADER_BYTES = 64 * 1024
"""Of a request line with its headers, and of the trailers of a chunked body."""
MAX_HEADERS = 256

_EVENTS_AT_ONCE = 1000
"""A body in chunks of one byte has 40,000 events in one read, a quarter of a second of work."""
_CRLF, _EMPTY_LINE = b"\r\n", b"\r\n\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""All but the tab; inside a line also CR and LF, which some parsers take for its end."""
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*[;\r]")
_MUST_HAVE_HOST = re.compile(rb" HTTP/1\.[1-9]$")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNKED = b"chunked"


class Parser(h11.Connection):
    """The server's side of one connection; says of what cannot be parsed why."""

    problem: RequestProblem | None = None
    """What is wrong, once next_event has raised."""
    behind = False
    """Whether bytes have come that can be parsed, and are not parsed yet."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEADER_BYTES)
        self._receive_buffer: _Lines = _Lines()
        self._left = _EVENTS_AT_ONCE

    @property
    def has_unread(self) -> bool:
        """Whether bytes have come that are part of no event yet."""
        return bool(self._receive_buffer)

    @property
    def interrupted(self) -> bool:
        """Whether next_event has said NEED_DATA so that others get their turn."""
        return self.behind and not self._left

    def go_on(self) -> None:
        """Lets next_event give out as many events again."""
        self._left = _EVENTS_AT_ONCE

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What has come next. Raises h11.RemoteProtocolError."""
        self.behind = True
        if not self._left:
            return h11.NEED_DATA
        self._left -= 1
        event = self._next_event()
        self.behind = event is not h11.NEED_DATA and self.has_unread
        return event

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        buffer = self._receive_buffer
        buffer.before_request = self.their_state is h11.IDLE
        if buffer.before_request and not buffer.skip_empty_lines():
            return h11.NEED_DATA
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            # h11's own words quote what was sent, which is not echoed.
            self.problem = getattr(error, "problem", None) or _as_problem(
                HTTPStatus(error.error_status_hint), "the request does not follow RFC 9112"
            )
            raise


class _Refused(h11.LocalProtocolError):
    """What the parser raises of its own; h11 makes a RemoteProtocolError of it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail, status)
        self.problem = _as_problem(status, detail)


class _Lines(ReceiveBuffer):
    """What has come and is not parsed yet; gives out whole and well-formed lines alone."""

    before_request = False
    """Whether a request line comes next, and headers after it."""

    def skip_empty_lines(self) -> bool:
        """Drops the CRLF that some clients send after a body (RFC 9112, 2.2); is more there?"""
        while self._data.startswith(_CRLF):
            self._extract(len(_CRLF))
        return bool(self._data) and self._data != b"\r"

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines before an empty one: a request line with its headers, or trailers."""
        if self._data.startswith(_CRLF):
            self._extract(len(_CRLF))
            return []
        start = max(0, self._multiple_lines_search - len(_EMPTY_LINE))
        end = self._data.find(_EMPTY_LINE, start)
        if (end if end >= 0 else len(self._data)) > MAX_HEADER_BYTES:
            raise _too_large(f"the headers have more than {MAX_HEADER_BYTES} bytes")
        if end < 0:
            self._refuse_bare_line_feeds(start)
            self._multiple_lines_search = len(self._data)
            return None
        lines = self._extract(end + len(_EMPTY_LINE))[:end].split(_CRLF)
        _check_lines(lines)
        if self.before_request:
            fields = _fields(lines[1:])
            _check_host(fields, lines[0])
            _check_length(fields, lines[0])
        return lines

    def maybe_extract_at_most(self, count: int) -> bytearray | None:
        """Part of a body; given away without a copy where all that has come belongs to it."""
        if not 0 < len(self._data) <= count:
            return super().maybe_extract_at_most(count)
        data, self._data = self._data, bytearray()
        self._next_line_search = self._multiple_lines_search = 0
        return data

    def maybe_extract_next_line(self) -> bytearray | None:
        """The line before a chunk."""
        line = super().maybe_extract_next_line()
        if line is None:
            self._refuse_bare_line_feeds(0)
        elif not _CHUNK_LINE.match(line) or _CONTROL.search(line, 0, len(line) - len(_CRLF)):
            raise _malformed("the line before a chunk is malformed")
        return line

    def _refuse_bare_line_feeds(self, start: int) -> None:
        """Says at once that a line is wrong whose right end would be waited for."""
        if _BARE_LINE_FEED.search(self._data, start):
            raise _malformed("a line does not end in CRLF")


def _check_lines(lines: Sequence[bytearray]) -> None:
    if len(lines) > MAX_HEADERS + 1:
        raise _too_large(f"there are more than {MAX_HEADERS} headers")
    if any(_CONTROL.search(line) for line in lines):
        raise _malformed("a control character is in the headers")
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise _malformed("a header is folded, or begins with a space")


Fields = dict[bytes, list[bytes]]


def _fields(lines: Sequence[bytearray]) -> Fields:
    """The values of the headers that say where a request goes and ends."""
    found: Fields = {b"host": [], b"content-length": [], b"transfer-encoding": []}
    for line in lines:
        name, _, value = line.partition(b":")
        if (values := found.get(bytes(name).lower())) is not None:
            values.append(bytes(value).strip(b" \t"))
    return found


def _check_host(fields: Fields, request_line: bytearray) -> None:
    hosts = len(fields[b"host"])
    if hosts > 1 or (not hosts and _MUST_HAVE_HOST.search(request_line)):
        raise _malformed(f"there are {hosts} Host headers; send one")


def _is_old(request_line: bytearray) -> bool:
    return request_line.endswith(b" HTTP/1.0")


def _check_length(fields: Fields, request_line: bytearray) -> None:
    """Lets a request through whose body ends where every parser sees it end (RFC 9112, 6)."""
    lengths, codings = fields[b"content-length"], fields[b"transfer-encoding"]
    if codings:
        named = [coding.strip().lower() for coding in b",".join(codings).split(b",")]
        if set(named) != {_CHUNKED}:
            raise _Refused(HTTPStatus.NOT_IMPLEMENTED, "no transfer coding but chunked is read")
        if len(named) > 1:
            raise _malformed("the body is chunked more than once")
        if lengths:
            raise _malformed("the request has both Content-Length and Transfer-Encoding")
        if _is_old(request_line):
            raise _malformed("HTTP/1.0 has no Transfer-Encoding")
    if len(lengths) > 1:
        raise _malformed("there is more than one Content-Length")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise _malformed("the Content-Length is no number of bytes")


def _malformed(detail: str) -> _Refused:
    return _Refused(HTTPStatus.BAD_REQUEST, detail)


def _too_large(detail: str) -> _Refused:
    return _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)


def _as_problem(status: HTTPStatus, detail: str) -> RequestProblem:
    match status:
        case HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            return RequestProblem(status, "headers-too-large", detail)
        case HTTPStatus.NOT_IMPLEMENTED:
            return RequestProblem(status, "unsupported-transfer-coding", detail)
        case _:
            return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", detail)
