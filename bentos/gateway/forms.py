"""From a multipart form to the files in it, while it streams: each is in memory once."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, PushMultipartParser

_PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")
"""Content-Transfer-Encodings that leave the bytes as they are (RFC 2045, 6.2)."""


@dataclass
class Part:
    """One part of a form; its name is the sender's text."""

    name: str
    named_file: bool
    """Whether it has a file's name, which is not kept; many clients send none."""
    media_type: str | None
    encoded: bool
    """Whether its bytes are in base64 or the like, which RFC 7578 gave up."""
    buffer: io.BytesIO = field(default_factory=io.BytesIO)

    @property
    def data(self) -> bytes:
        """The bytes, not copied."""
        return self.buffer.getvalue()


class MalformedForm(Exception):
    """The body is not the form that its Content-Type names; the message has nothing of it."""


async def read_form(
    body: AsyncIterator[bytes], boundary: str, *, check: Callable[[list[Part]], None]
) -> list[Part]:
    """Reads all parts; `check` looks at them whenever one begins, and raises to stop early. An
    empty body has none.

    Raises MalformedForm.
    """
    parts: list[Part] = []
    empty = True
    # The only name that is looked for is ASCII, and names of files are not kept: any charset does.
    parser = PushMultipartParser(boundary, header_charset="latin-1")
    async for chunk in body:
        if not chunk:  # Starlette's last one; to the parser it would be the end
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
                f"the form cannot be parsed: {str(error).lower()}; its lines end in CRLF, and each "
                "part has a Content-Disposition"
            ) from error
    if not empty:
        _check_end(parser, begun=bool(parts))
    return parts


def _part(segment: MultipartSegment) -> Part:
    encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
    encoded = encoding not in _PLAIN_ENCODINGS
    named_file = segment.filename is not None
    return Part(segment.name, named_file, segment.content_type, encoded)


def _check_end(parser: PushMultipartParser, *, begun: bool) -> None:
    try:
        parser.close()
    except MultipartError as error:
        raise MalformedForm(
            'the form ends before its last boundary, "--boundary--"; send it whole'
            if begun
            else "the boundary that the Content-Type names does not begin a part of the body; let "
            "the HTTP library write the header"
        ) from error
