"""Streaming multipart form parser that keeps each file in memory only once."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, PushMultipartParser

_PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")
"""Content-Transfer-Encodings that do not change the bytes (RFC 2045, 6.2)."""


@dataclass
class Part:
    """One part of a form; `name` is untrusted."""

    name: str
    named_file: bool
    """Whether it has a file name, which is not kept; many clients omit it."""
    media_type: str | None
    encoded: bool
    """Whether the bytes are in base64 or similar, which RFC 7578 deprecates."""
    buffer: io.BytesIO = field(default_factory=io.BytesIO)

    @property
    def data(self) -> bytes:
        """The bytes, without a copy."""
        return self.buffer.getvalue()


class MalformedForm(Exception):
    """The body is not a valid form; the message does not quote it."""


async def read_form(
    body: AsyncIterator[bytes], boundary: str, *, check: Callable[[list[Part]], None]
) -> list[Part]:
    """Reads all parts; an empty body has none. Raises MalformedForm.

    Calls `check` with the parts so far whenever one begins; it may raise to stop early.
    """
    parts: list[Part] = []
    empty = True
    # The field name is ASCII and file names are not kept, so any charset works.
    parser = PushMultipartParser(boundary, header_charset="latin-1")
    async for chunk in body:
        if not chunk:  # Starlette's final chunk, which the parser would take as the end
            continue
        empty = False
        try:
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    parts.append(_part(event))
                    check(parts)
                elif event:
                    parts[-1].buffer.write(event)
        except MultipartError as error:
            raise MalformedForm(
                f"the form cannot be parsed: {str(error).lower()}; lines must end in CRLF, and "
                "each part needs a Content-Disposition"
            ) from error
    if not empty:
        _check_end(parser, begun=bool(parts))
    return parts


def is_encoded(segment: MultipartSegment) -> bool:
    """Whether a part has a Content-Transfer-Encoding that changes the bytes."""
    encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
    return encoding not in _PLAIN_ENCODINGS


def _part(segment: MultipartSegment) -> Part:
    named_file = segment.filename is not None
    return Part(segment.name, named_file, segment.content_type, is_encoded(segment))


def _check_end(parser: PushMultipartParser, *, begun: bool) -> None:
    try:
        parser.close()
    except MultipartError as error:
        raise MalformedForm(
            'the form ends before its final boundary, "--boundary--"; send the whole form'
            if begun
            else "no part of the body begins with the boundary in the Content-Type; let the HTTP "
            "library write the header"
        ) from error
