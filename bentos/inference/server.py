"""The HTTP server of one model: authenticated tensors in, rows out (wire.py).

A client is known, and a body's length bounded and counted, before any of the body is read. So the
memory that requests hold is bounded by the images that may wait.
"""

import asyncio
import hmac
import math
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bentos import tracing
from bentos.http import problems
from bentos.http.metrics_endpoint import metrics
from bentos.http.middleware import METRICS
from bentos.http.problems import RequestProblem
from bentos.inference import wire
from bentos.inference.batcher import Answer, Batcher, Overloaded
from bentos.inference.model import Model
from bentos.metric_labels import ModelName, ModelStage
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings
from chestxray.engines import Images
from chestxray.errors import DeadlineExceeded

_NUMBER = re.compile(r"[0-9]{1,18}")  # fits into 64 bits
_CALLER = re.compile(r"[0-9a-f]{0,32}")


def create_app(server: "InferenceServer") -> FastAPI:
    """Builds the app of a classifier pod, which gateways of other pods reach over TCP."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    problems.install(app)
    app.router.routes.append(Route(wire.PATH, server, methods=["POST"]))
    app.get(METRICS)(metrics)
    return app


class InferenceServer:
    """The ASGI app of one model."""

    def __init__(self, model: Model, *, stage: ModelStage, settings: Settings) -> None:
        """A request must carry a token of the settings, where there is one."""
        self._model = model
        tokens = (settings.pod_token, settings.pod_token_previous)
        self._tokens = [each.get_secret_value() for each in tokens if each.get_secret_value()]
        self._max_images = settings.max_images_in_flight
        self._max_batch = settings.max_model_batch if model.parallel == 1 else 1
        self._body_seconds = settings.body_timeout_seconds
        self._images = 0  # of the requests that are being read or wait
        self.batcher = Batcher(
            model,
            model=ModelName(model.card.name),
            stage=stage,
            max_batch=self._max_batch,
            max_waiting=self._max_images,
            parallel=model.parallel,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers POST wire.PATH. Raises RequestProblem, ClientDisconnect."""
        headers = Headers(scope=scope)
        self._authenticate(headers)
        self._check_digest(headers)
        length = self._length(headers)
        with self._reserve(wire.images_within(length)):
            images = _unpack(await self._read(receive, length))
            answer = await _until_disconnected(receive, self._infer(images, headers))
        body = wire.pack_rows(answer.rows)
        await send(
            {
                "type": "http.response.start",
                "status": HTTPStatus.OK,
                "headers": [
                    (b"content-type", wire.MEDIA_TYPE.encode()),
                    (b"content-length", str(len(body)).encode()),
                    (wire.SECONDS_HEADER.lower().encode(), f"{answer.seconds:.6f}".encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def infer(self, images: Images) -> wire.Rows:
        """Returns one row per image for BentoML's own API, whose batches may be of any size."""
        parts = np.split(images, range(self._max_batch, len(images), self._max_batch))
        answers = await asyncio.gather(
            *(self.batcher(part, seconds=LONGEST_REQUEST_SECONDS) for part in parts)
        )
        return np.concatenate([answer.rows for answer in answers])

    async def _infer(self, images: Images, headers: Headers) -> Answer:
        seconds = _seconds(headers)
        caller = headers.get(wire.CALLER_HEADER, "")
        if not _CALLER.fullmatch(caller):
            raise _malformed(f"{wire.CALLER_HEADER} is not a hexadecimal name")
        try:
            with tracing.remote_parent(headers):
                return await self.batcher(
                    images,
                    seconds=seconds,
                    caller=caller,
                    alone=wire.ALONE_HEADER in headers,
                    loaded=wire.LOADED_HEADER in headers,
                )
        except Overloaded as error:
            raise _overloaded(str(error), error.retry_seconds) from error
        except DeadlineExceeded as error:
            raise RequestProblem(HTTPStatus.GATEWAY_TIMEOUT, error.code, str(error)) from error

    def _authenticate(self, headers: Headers) -> None:
        given = headers.get("authorization", "").encode()
        accepted = [hmac.compare_digest(given, f"Bearer {each}".encode()) for each in self._tokens]
        if self._tokens and not any(accepted):
            raise RequestProblem(
                HTTPStatus.UNAUTHORIZED,
                "unauthorised",
                "the request has not the token of this pod",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _check_digest(self, headers: Headers) -> None:
        if headers.get(wire.DIGEST_HEADER, "") != self._model.digest:
            detail = f"this server has the checkpoint {self._model.digest}, not the expected one"
            raise RequestProblem(HTTPStatus.CONFLICT, "another-model", detail)

    def _length(self, headers: Headers) -> int:
        """Returns the body's length, which is required: it decides how much memory is reserved."""
        given, longest = headers.get("content-length", ""), wire.max_images_bytes(self._max_images)
        if not _NUMBER.fullmatch(given):
            detail = "the request has no valid Content-Length"
            raise RequestProblem(HTTPStatus.LENGTH_REQUIRED, "length-required", detail)
        if int(given) > longest:
            detail = f"the body is larger than the limit of {longest} bytes"
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise RequestProblem(status, "body-too-large", detail, limit=longest)
        return int(given)

    @contextmanager
    def _reserve(self, images: int) -> Iterator[None]:
        """Counts images in flight. Raises RequestProblem 503 beyond the limit."""
        if self._images + images > self._max_images:
            raise _overloaded(
                f"{self._images} images are in flight; the limit is {self._max_images}", 1.0
            )
        self._images += images
        try:
            yield
        finally:
            self._images -= images

    async def _read(self, receive: Receive, length: int) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if (
                        len(body) > length
                    ):  # no server lets this happen; the bound must not rely on it
                        raise _malformed("the body is longer than its Content-Length")
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError as error:
            detail = f"the body did not arrive within {self._body_seconds:g} s"
            raise RequestProblem(HTTPStatus.REQUEST_TIMEOUT, "body-timeout", detail) from error


async def _until_disconnected(receive: Receive, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Awaits the answer, and cancels the work where the client leaves before it."""
    answer = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait([answer, watch], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        watch.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _seconds(headers: Headers) -> float:
    given = headers.get(wire.TIMEOUT_HEADER, "")
    if not given:
        return LONGEST_REQUEST_SECONDS
    if not _NUMBER.fullmatch(given) or not int(given):
        raise _malformed(f"{wire.TIMEOUT_HEADER} is not a positive number of milliseconds")
    return min(int(given) / 1000, LONGEST_REQUEST_SECONDS)


def _unpack(body: bytes) -> Images:
    try:
        images = wire.unpack_images(body)
    except ValueError as error:
        raise _malformed(str(error)) from error
    if not len(images):
        raise _malformed("there is no image")
    return images


def _overloaded(detail: str, seconds: float) -> RequestProblem:
    headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
    return RequestProblem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", detail, headers=headers)


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-tensor", detail)
