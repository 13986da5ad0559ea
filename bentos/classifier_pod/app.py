"""The one route of a classifier pod: authenticated, tensors in and tensors out."""

import hmac
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from bentos import tensors
from bentos.gateway import problems
from bentos.gateway.edge import METRICS
from bentos.gateway.problems import RequestProblem
from bentos.gateway.uploads import bounded
from bentos.metrics import exposition, get_metrics
from bentos.runner import Rows
from bentos.settings import Settings
from chestxray.engines import Images

Classify = Callable[[Images], Awaitable[Rows]]

_STAGE = "classify"


def create_app(classify: Classify, digest: str, settings: Settings) -> FastAPI:
    """Builds the app over a classifier, of the checkpoint with this digest."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    problems.install(app)
    house = _House(settings.max_images_in_flight)
    token = settings.pod_token.get_secret_value()
    longest = tensors.OVERHEAD_BYTES + settings.max_images_in_flight * tensors.IMAGE_BYTES

    @app.post(tensors.PATH)
    async def classifications(request: Request) -> Response:
        _authenticate(request, token)
        _agree(request, digest)
        body = bounded(
            request,
            max_bytes=longest,
            pause=settings.body_timeout_seconds,
            count=lambda _: None,  # by images, below
        )
        images = _images(b"".join([chunk async for chunk in body]))
        with house.room(len(images)):
            rows = await classify(images)
        return Response(tensors.pack_rows(rows), media_type=tensors.MEDIA_TYPE)

    @app.get(METRICS)
    def metrics() -> Response:
        text, media_type = exposition()
        return Response(text, media_type=media_type)

    return app


class _House:
    """Bounds the images that wait here. Gateways admit fairly; this keeps a pod's memory safe."""

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
    asked = request.headers.get(tensors.DIGEST_HEADER, "")
    if asked != digest:
        detail = f"this pod has the classifier {digest}, and was asked for another"
        raise RequestProblem(HTTPStatus.CONFLICT, "another-model", detail)


def _images(body: bytes) -> Images:
    try:
        images = tensors.unpack_images(body)
    except ValueError as error:
        raise RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-tensor", str(error)) from error
    if not len(images):
        raise RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-tensor", "there is no image")
    return images
