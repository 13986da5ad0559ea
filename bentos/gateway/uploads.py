"""From a request body to the images in it, counted while they stream, kept in memory only."""

import asyncio
import io
import math
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import Request
from multipart import parse_options_header

from bentos.admission.control import Ticket
from bentos.gateway.forms import MalformedForm, Part, read_form
from bentos.http.problems import RequestProblem
from chestxray.errors import EmptyImage

FIELD = "image"
_FORM = "multipart/form-data"
_SEND = (
    f"send {_FORM} with the file in field {FIELD}, or the bytes of the image as image/* or "
    "application/octet-stream"
)
_NOT_IMAGES = re.compile(r"multipart/.*|.*[/+](json|xml)|application/x-www-form-urlencoded")
"""Media types that hold an image at most as a text; of any other the bytes decide."""
_REFERENCE = re.compile(
    rb"\s{0,99}(https?://|ftps?://|file:|s3://|gs://|data:|blob:|/9j/|iVBORw0KGgo|SUkqA|TU0AK|UklGR)"
)
"""How addresses begin, and the base64 of JPEG, PNG, TIFF and WebP."""
_MAX_TEXT_BYTES = 4096
"""A longer field without a file's name is no text that someone wrote."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_ENCODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "aws-chunked")
_MIN_BYTES_PER_SECOND = 8 * 1024
"""Of a body; a film of usual size would not come before the deadline at this rate."""


@dataclass(frozen=True)
class Upload:
    """One image as it came; the file's name is not kept."""

    data: bytes
    media_type: str | None


async def read_uploads(
    request: Request, ticket: Ticket, *, max_images: int, max_bytes: int, pause: float
) -> list[Upload]:
    """Reads field `image` of a form, or the raw bytes, and takes room for the images.

    The body may be of `max_bytes` and pause for as many seconds. Raises RequestProblem.
    """
    _check_encoding(request)
    body = bounded(request, max_bytes=max_bytes, pause=pause, count=ticket.add_bytes)
    uploads = await _read(request, body, max_images)
    if any(_REFERENCE.match(upload.data) for upload in uploads):
        raise _not_a_file()
    ticket.add_images(len(uploads))
    return uploads


def _check_encoding(request: Request) -> None:
    """Raises RequestProblem 415 for a body that is compressed as a whole (RFC 9110, 8.4)."""
    given = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    names = {name.strip() for name in given} - {"", "identity"}
    if names:
        known = ", ".join(sorted(names & set(_ENCODINGS))) or "of a kind that is not known"
        raise _unsupported_encoding(
            f"the Content-Encoding of the body is {known}; send it unencoded"
        )


async def _read(
    request: Request, body: AsyncGenerator[bytes, None], max_images: int
) -> list[Upload]:
    media_type, parameters = parse_options_header(request.headers.get("content-type", ""))
    if media_type == _FORM:
        return await _read_form(body, parameters.get("boundary", ""), max_images)
    if _NOT_IMAGES.fullmatch(media_type):
        raise _unsupported(media_type)
    buffer = io.BytesIO()  # joined chunks would be in memory twice
    async for chunk in body:
        buffer.write(chunk)
    if not buffer.tell():
        raise _bad(EmptyImage.code, f"the request has no body; {_SEND}")
    return [Upload(buffer.getvalue(), media_type or None)]


async def _read_form(
    body: AsyncGenerator[bytes, None], boundary: str, max_images: int
) -> list[Upload]:
    if not boundary or "\n" in boundary:
        raise _malformed(
            "the Content-Type of the form names no boundary; leave the header to the HTTP library, "
            "which writes the boundary that it uses"
        )
    try:
        parts = await read_form(body, boundary, check=partial(_check, max_images=max_images))
    except MalformedForm as error:
        raise _malformed(str(error)) from error
    if not parts:
        raise _bad("missing-image", f"the form has no part; send the file in field {FIELD}")
    if any(not part.named_file and _is_text(part.data) for part in parts):
        raise _not_a_file()
    return [Upload(part.data, part.media_type) for part in parts]


def _is_text(data: bytes) -> bool:
    short = 0 < len(data) <= _MAX_TEXT_BYTES
    return short and not _CONTROL.search(data) and "\ufffd" not in data.decode(errors="replace")


def _check(parts: list[Part], *, max_images: int) -> None:
    """Raises RequestProblem for what the last part or the number of them says already."""
    part = parts[-1]
    if part.name != FIELD:
        # The name is the sender's text; it is not echoed.
        raise _bad(
            "unexpected-field",
            f"the form has a field with another name than {FIELD}; name the field of the file "
            f"{FIELD}, and send no other field",
        )
    if part.encoded:
        raise _unsupported_encoding(
            f"field {FIELD} has a Content-Transfer-Encoding; send the bytes of the file as they are"
        )
    if len(parts) > max_images:
        advice = "send several to /v1/analyses/batch" if max_images == 1 else "send fewer at once"
        detail = f"the form has more images than the limit of {max_images}; {advice}"
        raise _bad("too-many-images", detail, limit=max_images)


def _not_a_file() -> RequestProblem:
    detail = "the image is text: an address, base64 or the like; send a file, URLs are not fetched"
    return _bad("not-a-file", detail)


def _unsupported(media_type: str) -> RequestProblem:
    found = {
        "application/x-www-form-urlencoded": "the Content-Type is "
        "application/x-www-form-urlencoded, the default of curl --data",
        "application/json": "the body is JSON; neither base64 nor URLs are read from it",
    }.get(media_type, "the Content-Type is of a kind that holds no image")
    detail = f"{found}; {_SEND}"
    return RequestProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        detail,
        headers={"Accept": f"{_FORM}, image/*, application/octet-stream"},
    )


def _unsupported_encoding(detail: str) -> RequestProblem:
    return RequestProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-content-encoding",
        detail,
        headers={"Accept-Encoding": "identity"},
    )


async def bounded(
    request: Request, *, max_bytes: int, pause: float, count: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """A request's body in chunks, each counted before it is kept.

    In every `pause` seconds so much must come as _MIN_BYTES_PER_SECOND makes of them, or a byte now
    and then would hold what came before. Raises RequestProblem.
    """
    if int(request.headers.get("content-length", "0")) > max_bytes:
        raise _too_large(max_bytes)
    total = enough = 0
    stream, window = request.stream(), 0.0
    while True:
        if total >= enough:
            enough, window = total + math.ceil(pause * _MIN_BYTES_PER_SECOND), _now() + pause
        if (chunk := await _next(stream, window)) is None:
            break
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(max_bytes)
        count(len(chunk))
        yield chunk


async def _next(stream: AsyncGenerator[bytes, None], window: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(window):
            return await anext(stream, None)
    except TimeoutError as error:
        detail = f"less of the body came than {_MIN_BYTES_PER_SECOND} bytes a second"
        raise RequestProblem(HTTPStatus.REQUEST_TIMEOUT, "body-timeout", detail) from error


def _now() -> float:
    return asyncio.get_running_loop().time()


def _too_large(max_bytes: int) -> RequestProblem:
    return RequestProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        f"the body is larger than the limit of {max_bytes} bytes",
        limit=max_bytes,
    )


def _malformed(detail: str) -> RequestProblem:
    return _bad("malformed-form", detail)


def _bad(code: str, detail: str, **more: Any) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, code, detail, **more)
