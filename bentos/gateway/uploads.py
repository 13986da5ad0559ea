"""From a request body to the images in it, counted while they stream, kept in memory only."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bentos.gateway.admission import Ticket
from bentos.gateway.problems import RequestProblem
from chestxray.errors import EmptyImage

FIELD = "image"
_RAW_TYPES = ("application/octet-stream", "")
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")
_MAX_TEXT_FIELDS = 8
_MAX_TEXT_BYTES = 4096
_MIN_BYTES_PER_SECOND = 8 * 1024
"""Of a body; a film of usual size would not come before the deadline at this rate."""


@dataclass(frozen=True)
class Upload:
    """One image as it came; the file's name is not kept."""

    data: bytes
    media_type: str | None


class _InMemoryParser(MultiPartParser):
    # Patients' images must not touch the disk; the size is bounded by the stream instead.
    spool_max_size = 0


async def read_uploads(
    request: Request, ticket: Ticket, *, max_images: int, max_bytes: int, pause: float
) -> list[Upload]:
    """Reads field `image` of a form, or the raw bytes, and takes room for the images.

    The body may be of `max_bytes` and pause for as many seconds. Raises RequestProblem.
    """
    body = bounded(request, max_bytes=max_bytes, pause=pause, count=ticket.add_bytes)
    uploads = await _read(request, body, max_images)
    ticket.add_images(len(uploads))
    return uploads


async def _read(
    request: Request, body: AsyncGenerator[bytes, None], max_images: int
) -> list[Upload]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _read_form(request, body, max_images)
    if media_type.startswith("image/") or media_type in _RAW_TYPES:
        data = b"".join([chunk async for chunk in body])
        if not data:
            raise _bad(EmptyImage.code, "the request has no body")
        return [Upload(data, media_type or None)]
    raise RequestProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"the body is {media_type}; send multipart/form-data with a file in field {FIELD}, "
        "or the bytes of the image as image/* or application/octet-stream",
    )


async def _read_form(
    request: Request, body: AsyncGenerator[bytes, None], max_images: int
) -> list[Upload]:
    _, parameters = parse_options_header(request.headers["content-type"])
    if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        # The parser would use any codec that the sender names; some take minutes for a kilobyte.
        raise _malformed("the charset of a form must be UTF-8")
    parser = _InMemoryParser(
        request.headers, body, max_fields=_MAX_TEXT_FIELDS, max_part_size=_MAX_TEXT_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _malformed(error.message) from error
    except (KeyError, ValueError) as error:  # no boundary, or headers that do not parse
        raise _malformed("the form cannot be parsed") from error
    try:
        return [Upload(await f.read(), f.content_type) for f in _files(form, max_images)]
    finally:
        await form.close()


def _files(form: FormData, max_images: int) -> list[UploadFile]:
    if any(name != FIELD for name in form):
        # The name is the sender's text; it is not echoed.
        raise _bad("unexpected-field", f"a field other than {FIELD} was sent")
    values = form.getlist(FIELD)
    files = [value for value in values if isinstance(value, UploadFile)]
    if not values:
        raise _bad("missing-image", f"there is no file in field {FIELD}")
    if len(files) < len(values):
        raise _bad("not-a-file", f"field {FIELD} holds text; send a file, URLs are not fetched")
    if len(files) > max_images:
        detail = f"{len(files)} images were sent; the limit is {max_images}"
        raise _bad("too-many-images", detail, limit=max_images)
    return files


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
