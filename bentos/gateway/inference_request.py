"""Reads a request of the Open Inference Protocol: one tensor of images, in base64 or binary.

Binary data is an extension of the protocol by Triton: it follows the JSON, in the same body.
"""

import asyncio
import base64
import io
import re
import struct
from collections.abc import Sequence
from http import HTTPStatus
from typing import Literal

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from bentos.admission.control import Ticket
from bentos.gateway.uploads import Upload, bounded, check_encoding, too_many_images
from bentos.http.problems import RequestProblem
from bentos.settings import Settings

_BINARY_HEADER = "Inference-Header-Content-Length"
"""The length of the JSON before the binary data."""
_NUMBER = re.compile(r"[0-9]{1,18}")  # Python refuses to read a number of thousands of digits
_COPIES = 3
"""A body is in memory up to three times: as it came, as text in base64, and as images."""
_MARKS, _MOST_MARKS = b"[{,:", 1000
"""Every value in JSON has one of these characters before it, and base64 has none, so that their
number bounds what a parser creates."""


class Tensor(BaseModel):
    """The images of a request."""

    name: Literal["image"]
    datatype: Literal["BYTES"]
    shape: list[int] = Field(min_length=1, max_length=2)
    data: list[str] | None = None


class RequestedOutput(BaseModel):
    """The name of an output; without any, all are returned."""

    name: Literal["probabilities", "label", "verdict"]


class InferenceRequest(BaseModel):
    """The body of a request; parameters are ignored."""

    id: str | None = Field(None, max_length=1024)
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = []


async def read(
    request: Request, ticket: Ticket, settings: Settings
) -> tuple[InferenceRequest, Sequence[Upload]]:
    """Reads a request and admits its images. Raises RequestProblem."""
    check_encoding(request)
    buffer = io.BytesIO()
    async for chunk in bounded(
        request,
        max_bytes=settings.max_batch_bytes,
        pause=settings.body_timeout_seconds,
        count=lambda size: ticket.add_bytes(_COPIES * size),
    ):
        buffer.write(chunk)
    body = buffer.getvalue()
    length = request.headers.get(_BINARY_HEADER, str(len(body)))
    if not (_NUMBER.fullmatch(length) and int(length) <= len(body)):
        raise _malformed(f"{_BINARY_HEADER} is not a length within the body")
    asked = _parse(body, int(length))
    tensor = asked.inputs[0]
    if tensor.shape[0] > settings.max_images_per_batch:  # bounds the work of decoding
        raise too_many_images(settings.max_images_per_batch, "send fewer at once")
    images = await asyncio.to_thread(_images, tensor, memoryview(body)[int(length) :])
    ticket.add_images(len(images))
    return asked, [Upload(image, None) for image in images]


def _parse(body: bytes, length: int) -> InferenceRequest:
    if sum(body.count(mark, 0, length) for mark in _MARKS) > _MOST_MARKS:
        raise _malformed("the body has too many values; send one tensor of images in base64")
    try:
        return InferenceRequest.model_validate_json(body[:length])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _malformed(f"{place or 'body'}: {first['msg'].lower()}") from error


def _images(tensor: Tensor, binary: memoryview) -> list[bytes]:
    """Decodes the images of a tensor. Raises RequestProblem."""
    if (tensor.data is None) == (not binary):
        raise _malformed("a tensor has either data in base64 or binary data")
    count = tensor.shape[0]
    if any(side != 1 for side in tensor.shape[1:]):
        raise _malformed("the shape of a tensor of images is [n] or [n, 1]")
    try:
        texts = tensor.data or ()
        images = [base64.b64decode(each, validate=True) for each in texts]
        images += _elements(binary, count)
    except (ValueError, struct.error) as error:
        raise _malformed("the data is not base64, or not binary data of its length") from error
    if not images or len(images) != count:
        raise _malformed(f"the shape says {count} images, the data has {len(images)}")
    return images


def _elements(binary: memoryview, most: int) -> list[bytes]:
    """The elements of a binary BYTES tensor: each has its length before it, in 4 bytes."""
    found: list[bytes] = []
    while binary and len(found) <= most:
        (size,) = struct.unpack_from("<I", binary)
        if size > len(binary) - 4:
            raise ValueError("an element ends after the data")
        found.append(bytes(binary[4 : 4 + size]))
        binary = binary[4 + size :]
    return found


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", detail)
