"""The one route of a classifier pod: authenticated, tensors in and tensors out.

A sender is known, and a body bounded and given room, before any of it is read: what is held for
senders is never more than the images that may wait here.
"""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from bentos.http import problems
from bentos.http.middleware import METRICS
from bentos.http.problems import RequestProblem
from bentos.inference import wire
from bentos.inference.model import Rows
from bentos.metrics import exposition, get_metrics
from bentos.settings import Settings
from chestxray.engines import Images

Classify = Callable[[Images], Awaitable[Rows]]

_STAGE = "classify"
_LENGTH = re.compile(r"[0-9]{1,18}")  # what fits into 64 bits


def create_app(classify: Classify, digest: str, settings: Settings) -> FastAPI:
    """Builds the app over a classifier, of the checkpoint with this digest."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    problems.install(app)
    house = _House(settings.max_images_in_flight)
    token, seconds = settings.pod_token.get_secret_value(), settings.pod_timeout_seconds

    @app.post(wire.PATH)
    async def classifications(request: Request) -> Response:
        _authenticate(request, token)
        _agree(request, digest)
        length = _length(request, settings.max_images_in_flight)
        with house.room(wire.images_within(length)):
            images = _images(await _read(request, length, seconds))
            rows = await classify(images)
        return Response(wire.pack_rows(rows), media_type=wire.MEDIA_TYPE)

    @app.get(METRICS)
    def metrics() -> Response:
        text, media_type = exposition()
        return Response(text, media_type=media_type)

    return app


class _House:
    """Bounds the images that come and wait here. Gateways admit fairly; this keeps a pod's memory
    safe.
    """

    def __init__(self, most: int) -> None:
        self._most, self._images = most, 0

    @contextmanager
    def room(self, images: int) -> Iterator[None]:
        if self._images + images > self._most:
            detail = f"{self._images} images wait here; the limit is {self._most}"
            headers = {"Retry-After": "1"}
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise RequestProblem(status, "overloaded", detail, headers=headers)
        self._images += images
        gauge = get_metrics().in_flight.labels(_STAGE)
        gauge.set(self._images)
        try:
            yield
        finally:
            self._images -= images
            gauge.set(self._images)


def _authenticate(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise RequestProblem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorised",
            "the request has not the token of this pod",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _agree(request: Request, digest: str) -> None:
    asked = request.headers.get(wire.DIGEST_HEADER, "")
    if asked != digest:
        detail = f"this pod has the classifier {digest}, and was asked for another"
        raise RequestProblem(HTTPStatus.CONFLICT, "another-model", detail)


def _length(request: Request, max_images: int) -> int:
    """The body's length, which must be said: it decides what room is taken."""
    given, longest = request.headers.get("content-length", ""), wire.max_images_bytes(max_images)
    if not _LENGTH.fullmatch(given):
        detail = "the request does not say its Content-Length"
        raise RequestProblem(HTTPStatus.LENGTH_REQUIRED, "length-required", detail)
    if int(given) > longest:
        detail = f"the body is larger than the limit of {longest} bytes"
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise RequestProblem(status, "body-too-large", detail, limit=longest)
    return int(given)


async def _read(request: Request, length: int, seconds: float) -> bytes:
    chunks, left = [], length
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:  # no server lets this happen; the bound does not rest on that
                    raise _malformed("the body is longer than its Content-Length")
                chunks.append(chunk)
    except TimeoutError as error:
        detail = f"the body did not come within {seconds:g} s"
        raise RequestProblem(HTTPStatus.REQUEST_TIMEOUT, "body-timeout", detail) from error
    return b"".join(chunks)


def _images(body: bytes) -> Images:
    try:
        images = wire.unpack_images(body)
    except ValueError as error:
        raise _malformed(str(error)) from error
    if not len(images):
        raise _malformed("there is no image")
    return images


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-tensor", detail)
