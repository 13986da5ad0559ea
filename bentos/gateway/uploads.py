"""Reads the images from a request body, with admission control while streaming; in memory only."""

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
"""Media types that contain an image at most as text; for any other the content decides."""
_REFERENCE = re.compile(
    rb"\s{0,99}(https?://|ftps?://|file:|s3://|gs://|data:|blob:|/9j/|iVBORw0KGgo|SUkqA|TU0AK|UklGR)"
)
"""Prefixes of addresses, and of JPEG, PNG, TIFF and WebP in base64."""
_MAX_TEXT_BYTES = 4096
"""A longer field without a file name is assumed to be a file."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_ENCODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "aws-chunked")
_MIN_BYTES_PER_SECOND = 8 * 1024
"""Minimum rate of a body; below it, a typical radiograph would miss the deadline anyway."""


@dataclass(frozen=True)
class Upload:
    """One image as uploaded; the file name is not kept."""

    data: bytes
    media_type: str | None


async def read_uploads(
    request: Request, ticket: Ticket, *, max_images: int, max_bytes: int, pause: float
) -> list[Upload]:
    """Reads the fields `image` of a form, or the raw bytes, and admits the images.

    Rejects bodies over `max_bytes`, or slower than `bounded` allows. Raises RequestProblem.
    """
    check_encoding(request)
    body = bounded(request, max_bytes=max_bytes, pause=pause, count=ticket.add_bytes)
    uploads = await _read(request, body, max_images)
    if any(_REFERENCE.match(upload.data) for upload in uploads):
        raise _not_a_file()
    ticket.add_images(len(uploads))
    return uploads


def check_encoding(request: Request) -> None:
    """Raises RequestProblem 415 for a body with a Content-Encoding (RFC 9110, 8.4)."""
    given = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    names = {name.strip() for name in given} - {"", "identity"}
    if names:
        known = ", ".join(sorted(names & set(_ENCODINGS))) or "unknown"
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
    buffer = io.BytesIO()  # joining chunks would need twice the memory
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
            "the Content-Type of the form has no boundary; let the HTTP library write the header"
        )
    try:
        parts = await read_form(body, boundary, check=partial(_check, max_images=max_images))
    except MalformedForm as error:
        raise _malformed(str(error)) from error
    if not parts:
        raise _bad("missing-image", f"the form has no parts; send the file in field {FIELD}")
    if any(not part.named_file and _is_text(part.data) for part in parts):
        raise _not_a_file()
    return [Upload(part.data, part.media_type) for part in parts]


def _is_text(data: bytes) -> bool:
    short = 0 < len(data) <= _MAX_TEXT_BYTES
    return short and not _CONTROL.search(data) and "\ufffd" not in data.decode(errors="replace")


def _check(parts: list[Part], *, max_images: int) -> None:
    """Raises RequestProblem if the last part, or the number of parts, is not acceptable."""
    part = parts[-1]
    if part.name != FIELD:
        # The name is untrusted and must not be echoed.
        raise _bad(
            "unexpected-field",
            f"the form has a field with a name other than {FIELD}; name the file's field {FIELD}, "
            "and send no other field",
        )
    if part.encoded:
        raise _unsupported_encoding(
            f"field {FIELD} has a Content-Transfer-Encoding; send the bytes of the file unencoded"
        )
    if len(parts) > max_images:
        advice = "send several to /v1/analyses/batch" if max_images == 1 else "send fewer at once"
        raise too_many_images(max_images, advice)


def too_many_images(limit: int, advice: str) -> RequestProblem:
    """The request has more images than its route takes."""
    detail = f"the request has more images than the limit of {limit}; {advice}"
    return _bad("too-many-images", detail, limit=limit)


def _not_a_file() -> RequestProblem:
    detail = "the image is text: an address, base64 or similar; send a file, URLs are not fetched"
    return _bad("not-a-file", detail)


def _unsupported(media_type: str) -> RequestProblem:
    found = {
        "application/x-www-form-urlencoded": "the Content-Type is "
        "application/x-www-form-urlencoded, the default of curl --data",
        "application/json": "the body is JSON; neither base64 nor URLs are read from it",
    }.get(media_type, "the Content-Type is not one for images")
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
    """Yields the body in chunks; calls `count` with the size of each before it is kept.

    In every window of `pause` seconds at least `pause` * _MIN_BYTES_PER_SECOND bytes must arrive,
    or a slow client could hold memory forever. Raises RequestProblem.
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
        detail = f"the body arrived at less than {_MIN_BYTES_PER_SECOND} bytes per second"
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
