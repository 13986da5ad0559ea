"""Streaming parser of multipart/related bodies with DICOM objects (RFC 2387; PS3.18, 8.6.1.2)."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from bentos.gateway.forms import is_encoded
from bentos.http.negotiation import DICOM


@dataclass
class Part:
    """One part of a body."""

    readable: bool
    """Whether it is a DICOM object by its own header, and has no more bytes than it may have."""
    buffer: io.BytesIO = field(default_factory=io.BytesIO)

    @property
    def data(self) -> bytes:
        """The bytes, without a copy; none of a part that is not readable."""
        return self.buffer.getvalue()

    def write(self, data: bytes, *, max_bytes: int) -> None:
        """Keeps more bytes; none at all once there are more than `max_bytes`."""
        if self.buffer.tell() + len(data) > max_bytes:
            self.readable = False
        if self.readable:
            self.buffer.write(data)
        else:
            self.buffer = io.BytesIO()


class MalformedBody(Exception):
    """The body is not a valid multipart message; the error does not quote it."""


class _Parser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """The library's parser without its rule that every part is a field of a form."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        return MultipartSegment(headerlist)


async def read_parts(
    body: AsyncIterator[bytes],
    boundary: str,
    *,
    max_bytes: int,
    check: Callable[[int], None],
) -> list[Part]:
    """Reads all parts, of each at most `max_bytes`. Raises MalformedBody, also if there are none.

    Calls `check` with the number of parts so far whenever one begins; it may raise to stop early.
    """
    parts: list[Part] = []
    try:
        parser = _Parser(boundary, header_charset="latin-1")
        async for chunk in body:
            for event in parser.parse(chunk) if chunk else ():  # an empty one would be the end
                if isinstance(event, MultipartSegment):
                    parts.append(Part(_is_object(event)))
                    check(len(parts))
                elif event:
                    parts[-1].write(event, max_bytes=max_bytes)
        parser.close()
    except MultipartError as error:
        raise MalformedBody(
            f"the multipart body cannot be parsed: {str(error).lower()}; each part begins with the "
            'boundary in the Content-Type, lines end in CRLF, and "--boundary--" ends the body'
        ) from error
    if not parts:
        raise MalformedBody("the multipart body has no parts; send a DICOM object in each")
    return parts


def _is_object(segment: MultipartSegment) -> bool:
    """Whether the headers of a part allow a DICOM object; without a type it has the body's."""
    return (segment.content_type or DICOM) == DICOM and not is_encoded(segment)
