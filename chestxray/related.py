"""Writes multipart/related bodies, and takes them apart (RFC 2046, 5.1; RFC 2387), byte for byte.

Python's parser of e-mail goes through text, line by line: it takes seconds and several copies for
a picture of tens of megabytes.
"""

import re
import secrets
from collections.abc import Sequence
from email.message import Message

_MOST_PARTS = 64
"""The service sends three; more are not expected of a later one."""
_TYPE = b"content-type"
_END = re.compile(rb"--[ \t]*(\r\n|\Z)")


def message_of(parts: Sequence[bytes], *, of_type: str) -> tuple[str, bytes]:
    """Returns the Content-Type and the body of a message with these parts."""
    boundary = secrets.token_hex(16)
    described = f'multipart/related; type="{of_type}"; boundary={boundary}'
    return described, body_of(parts, boundary, of_type=of_type)


def body_of(parts: Sequence[bytes], boundary: str, *, of_type: str) -> bytes:
    """Joins parts to a body; the boundary must occur in none of them."""
    head = f"--{boundary}\r\nContent-Type: {of_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def parts_of(body: bytes, content_type: str, *, of_type: str) -> list[bytes]:
    """Returns the contents of all parts. Raises ValueError, also for a part of another type."""
    # A delimiter is at the start of a line: the first one may be at the start of the body.
    delimiter = b"\r\n--" + _boundary(content_type)
    pieces = (b"\r\n" + body).split(delimiter, _MOST_PARTS + 1)
    if len(pieces) > _MOST_PARTS + 1:
        raise ValueError(f"the message has more than {_MOST_PARTS} parts")
    if not _END.match(pieces[-1]):
        raise ValueError("the message ends early")
    return [_content(piece, of_type) for piece in pieces[1:-1]]  # before the first is a preamble


def _boundary(content_type: str) -> bytes:
    boundary = _header(content_type).get_boundary()
    if not boundary:
        raise ValueError("the message has no boundary")
    return boundary.encode("ascii")  # UnicodeEncodeError is a ValueError


def _content(piece: bytes, of_type: str) -> bytes:
    head, found, content = piece.partition(b"\r\n\r\n")
    rest_of_delimiter, *lines = head.split(b"\r\n")
    fields = [line.partition(b":") for line in lines]
    types = [value.decode("latin-1") for name, _, value in fields if name.lower() == _TYPE]
    if not found or rest_of_delimiter.strip() or not types:
        raise ValueError("a part is malformed")
    if _header(types[0]).get_content_type() != of_type:
        raise ValueError(f"a part is not {of_type}")
    return content


def _header(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type.strip()
    return message
