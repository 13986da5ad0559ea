"""HTTP request parser: h11, made stricter against request smuggling.

A proxy and this server must agree where each request ends, or a client gets the response to another
client's request. So the parser only accepts what RFC 9112 allows a sender to generate: lines end in
CRLF, no header is folded, and a body has one length. h11 separates a body from the next request
even with `Upgrade`.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

import h11
from h11._receivebuffer import ReceiveBuffer

from bentos.http.problems import RequestProblem

MAX_HEADER_BYTES = 64 * 1024
"""Maximum size of a request line with its headers, and of the trailers of a chunked body."""
MAX_HEADERS = 256

_EVENTS_AT_ONCE = 1000
"""Events parsed before other connections get a turn. A body in one-byte chunks has 40,000 events
per read, which would block the event loop for a quarter of a second."""
_CRLF, _EMPTY_LINE = b"\r\n", b"\r\n\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""All except tab; includes CR and LF, which some parsers treat as a line end."""
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*[;\r]")
_MUST_HAVE_HOST = re.compile(rb" HTTP/1\.[1-9]$")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNKED = b"chunked"


class Parser(h11.Connection):
    """The server side of one connection; `problem` explains a parse error."""

    problem: RequestProblem | None = None
    """Set when next_event raises."""
    behind = False
    """Whether parsable bytes are still unparsed."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEADER_BYTES)
        self._receive_buffer: _Lines = _Lines()
        self._left = _EVENTS_AT_ONCE

    @property
    def has_unread(self) -> bool:
        """Whether the buffer has bytes that are not part of an event yet."""
        return bool(self._receive_buffer)

    @property
    def interrupted(self) -> bool:
        """Whether next_event returned NEED_DATA only to yield to other connections."""
        return self.behind and not self._left

    def go_on(self) -> None:
        """Resets the number of events that next_event may return."""
        self._left = _EVENTS_AT_ONCE

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Returns the next event. Raises h11.RemoteProtocolError."""
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
            # h11's message quotes the request, which must not be echoed.
            self.problem = getattr(error, "problem", None) or _as_problem(
                HTTPStatus(error.error_status_hint), "the request does not follow RFC 9112"
            )
            raise


class _Refused(h11.LocalProtocolError):
    """Raised by our checks; h11 converts it to a RemoteProtocolError."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail, status)
        self.problem = _as_problem(status, detail)


class _Lines(ReceiveBuffer):
    """Receive buffer that only returns complete, well-formed lines."""

    before_request = False
    """Whether a request line is expected next."""

    def skip_empty_lines(self) -> bool:
        """Drops the CRLF that some clients send after a body (RFC 9112, 2.2).

        Returns whether more data follow.
        """
        while self._data.startswith(_CRLF):
            self._extract(len(_CRLF))
        return bool(self._data) and self._data != b"\r"

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Returns the lines up to an empty one: a request line with headers, or trailers."""
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
        """Returns part of a body, without a copy if it is the whole buffer."""
        if not 0 < len(self._data) <= count:
            return super().maybe_extract_at_most(count)
        data, self._data = self._data, bytearray()
        self._next_line_search = self._multiple_lines_search = 0
        return data

    def maybe_extract_next_line(self) -> bytearray | None:
        """Returns the line before a chunk."""
        line = super().maybe_extract_next_line()
        if line is None:
            self._refuse_bare_line_feeds(0)
        elif not _CHUNK_LINE.match(line) or _CONTROL.search(line, 0, len(line) - len(_CRLF)):
            raise _malformed("the line before a chunk is malformed")
        return line

    def _refuse_bare_line_feeds(self, start: int) -> None:
        """Rejects a line with a bare LF at once instead of waiting for a CRLF."""
        if _BARE_LINE_FEED.search(self._data, start):
            raise _malformed("a line does not end in CRLF")


def _check_lines(lines: Sequence[bytearray]) -> None:
    if len(lines) > MAX_HEADERS + 1:
        raise _too_large(f"there are more than {MAX_HEADERS} headers")
    if any(_CONTROL.search(line) for line in lines):
        raise _malformed("the headers contain a control character")
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise _malformed("a header is folded, or begins with a space")


Fields = dict[bytes, list[bytes]]


def _fields(lines: Sequence[bytearray]) -> Fields:
    """Returns the values of Host, Content-Length and Transfer-Encoding."""
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
    """Rejects a request whose body length is ambiguous between parsers (RFC 9112, 6)."""
    lengths, codings = fields[b"content-length"], fields[b"transfer-encoding"]
    if codings:
        named = [coding.strip().lower() for coding in b",".join(codings).split(b",")]
        if set(named) != {_CHUNKED}:
            raise _Refused(
                HTTPStatus.NOT_IMPLEMENTED, "only the chunked transfer coding is supported"
            )
        if len(named) > 1:
            raise _malformed("the body is chunked more than once")
        if lengths:
            raise _malformed("the request has both Content-Length and Transfer-Encoding")
        if _is_old(request_line):
            raise _malformed("HTTP/1.0 does not support Transfer-Encoding")
    if len(lengths) > 1:
        raise _malformed("there is more than one Content-Length")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise _malformed("the Content-Length is not a number")


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
