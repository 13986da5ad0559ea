"""Reads the images of a job from the body of its request: a form, or a zip file.

Never more than one image is in memory. A zip file is written to the disk first.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import partial
from http import HTTPStatus
from typing import BinaryIO, cast

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from bentos.gateway.forms import Part, is_encoded
from bentos.gateway.uploads import FIELD, bounded, check_encoding, too_many_images
from bentos.http.problems import RequestProblem
from bentos.jobs.bundles import BadBundle, TooManyImages, images_of
from bentos.settings import Settings
from chestxray.errors import EmptyImage, ImageTooLarge, RejectedImage

FORM, ZIP = "multipart/form-data", "application/zip"
_ZIPS = (ZIP, "application/x-zip-compressed")
_ADVICE = "send the rest in another job"

Image = bytes | RejectedImage
"""The bytes of an image, or why there are none."""


def images_in(request: Request, settings: Settings) -> AsyncIterator[Image]:
    """Yields the images of a body in their order. Raises RequestProblem."""
    check_encoding(request)
    media_type, parameters = parse_options_header(request.headers.get("content-type", ""))
    body = bounded(
        request,
        max_bytes=settings.max_job_bytes,
        pause=settings.body_timeout_seconds,
        count=lambda size: None,  # it does not stay in memory
    )
    if media_type == FORM:
        return _limited(_of_form(body, parameters.get("boundary", ""), settings), settings)
    if media_type in _ZIPS:
        return _limited(_of_zip(body, settings), settings)
    raise RequestProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"the Content-Type is neither {FORM} nor {ZIP}; send the images in such a body",
        headers={"Accept": f"{FORM}, {ZIP}"},
    )


async def _limited(images: AsyncIterator[Image], settings: Settings) -> AsyncIterator[Image]:
    """Bounds the images together, by number and by bytes."""
    size, count = 0, 0
    async for image in images:
        count += 1
        size += len(image) if isinstance(image, bytes) else 0
        if count > settings.max_job_images:
            raise too_many_images(settings.max_job_images, _ADVICE)
        if size > settings.max_job_bytes:
            detail = f"the images have more than {settings.max_job_bytes} bytes; {_ADVICE}"
            status, limit = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, settings.max_job_bytes
            raise RequestProblem(status, "body-too-large", detail, limit=limit)
        yield image if image else EmptyImage("the image has no bytes")
    if not count:
        raise _bad("missing-image", f"the body has no image; send each in a field {FIELD}")


async def _of_form(
    body: AsyncGenerator[bytes, None], boundary: str, settings: Settings
) -> AsyncIterator[Image]:
    """Yields each part of a form when it has arrived as a whole."""
    part: _Part | None = None
    try:
        parser = PushMultipartParser(boundary, header_charset="latin-1")
        async for chunk in body:
            for event in parser.parse(chunk) if chunk else ():  # an empty one would be the end
                if isinstance(event, MultipartSegment):
                    part = _Part(event, settings.max_image_bytes)
                elif event and part:
                    part.write(event)
                elif part:
                    yield part.image
                    part = None
        parser.close()
    except MultipartError as error:
        raise _bad("malformed-form", f"the form cannot be parsed: {str(error).lower()}") from error


class _Part:
    """One part of a form while it arrives."""

    def __init__(self, segment: MultipartSegment, max_bytes: int) -> None:
        if segment.name != FIELD:
            detail = f"the form has a field with a name other than {FIELD}; send no other field"
            raise _bad("unexpected-field", detail)
        if is_encoded(segment):
            raise RequestProblem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported-content-encoding",
                f"field {FIELD} has a Content-Transfer-Encoding; send the bytes unencoded",
                headers={"Accept-Encoding": "identity"},
            )
        self._part = Part(segment.name, True, segment.content_type, False)
        self._max_bytes = max_bytes
        self._too_large = False

    def write(self, data: bytes) -> None:
        """Keeps more bytes; none any longer once there are too many."""
        if self._part.buffer.tell() + len(data) > self._max_bytes:
            self._too_large = True
        if not self._too_large:
            self._part.buffer.write(data)

    @property
    def image(self) -> Image:
        """What has arrived."""
        if self._too_large:
            detail = f"the image is larger than {self._max_bytes} bytes"
            return ImageTooLarge(detail, limit=self._max_bytes)
        return self._part.data


async def _of_zip(body: AsyncGenerator[bytes, None], settings: Settings) -> AsyncIterator[Image]:
    with tempfile.TemporaryFile() as file:
        async for chunk in body:
            await asyncio.to_thread(file.write, chunk)
        images = images_of(
            cast(BinaryIO, file),
            max_images=settings.max_job_images,
            max_bytes=settings.max_image_bytes,
        )
        try:
            while (image := await asyncio.to_thread(partial(_next, images))) is not None:
                yield image
        except TooManyImages as error:
            raise too_many_images(settings.max_job_images, _ADVICE) from error
        except BadBundle as error:
            raise _bad("malformed-zip", str(error)) from error


def _next(images: Iterator[Image]) -> Image | None:
    return next(images, None)


def _bad(code: str, detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, code, detail)
