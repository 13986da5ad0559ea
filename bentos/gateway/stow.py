"""Store transaction of DICOMweb, STOW-RS (PS3.18, 10.5): objects for the queue of the DICOM node.

An object counts as stored when it is in the queue, on the disk. A request that fails after some of
its objects were stored may be sent again as a whole: the queue keeps an object once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import fastapi
import mimeparse
from fastapi import APIRouter, Depends, Request, Response

from bentos.admission.control import Admission, Ticket
from bentos.dicom_node.queue import Queue, QueueFull
from bentos.gateway import openapi
from bentos.gateway.analyses import Timeout
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.related import MalformedBody, Part, read_parts
from bentos.gateway.store_response import Outcome, respond
from bentos.gateway.uploads import bounded, check_encoding, too_many_images
from bentos.http.client_address import address_of, is_trusted, subscriber
from bentos.http.deadline import Deadline, while_connected
from bentos.http.negotiation import DICOM, DICOM_JSON, JSON, RELATED, acceptable
from bentos.http.problems import RequestProblem
from bentos.http.request_state import state_of
from bentos.settings import Settings
from chestxray.dicom.instance import MAX_UID_LENGTH, UID_PATTERN, Instance, Kind
from chestxray.dicom.storage import Status
from chestxray.errors import RejectedImage

logger = logging.getLogger(__name__)

STUDIES = "/dicomweb/studies"
STUDY = f"{STUDIES}/{{study}}"

Study = Annotated[
    str,
    fastapi.Path(
        pattern=UID_PATTERN,
        max_length=MAX_UID_LENGTH,
        description="Study Instance UID; objects of another study are not stored",
        examples=["2.25.329800735698586629295641978511506172918"],
    ),
]
_FAILURE_OF = {
    Kind.OTHER: Status.CLASS_NOT_SUPPORTED,
    Kind.OWN: Status.CANNOT_UNDERSTAND,  # as the DICOM node answers a C-STORE
    Kind.MISMATCHED: Status.MISMATCH,
}


class Storage:
    """Puts objects into the queue. Raises OSError if its folder cannot be created."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        folder, most = Path(settings.dicom_queue), settings.dicom_max_queue_bytes
        self._pipeline, self._queue = pipeline, Queue(folder, max_bytes=most)
        # One thread: sizes add up between two measurements, and a slow disk holds up nothing else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def store(self, parts: Sequence[Part], study: str) -> list[Outcome]:
        """Stores what is to be analysed, one after the other; an empty `study` stands for any."""
        return [await self._take(part, study) for part in parts]

    async def _take(self, part: Part, study: str) -> Outcome:
        if not part.readable:
            return Outcome(None, Status.CANNOT_UNDERSTAND)
        try:
            instance = await self._pipeline.identify(part.data)
        except RejectedImage:
            return Outcome(None, Status.CANNOT_UNDERSTAND)
        failure = _FAILURE_OF.get(instance.kind)
        if failure is None and study not in ("", instance.study):
            failure = Status.MISMATCH
        return Outcome(instance, failure) if failure else await self._put(part.data, instance)

    async def _put(self, data: bytes, instance: Instance) -> Outcome:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._queue.put, data)
        except QueueFull:
            return Outcome(instance, Status.OUT_OF_RESOURCES)
        except OSError:
            logger.exception("an object could not be stored")
            return Outcome(instance, Status.OUT_OF_RESOURCES)
        return Outcome(instance)


def create_router(pipeline: Pipeline, admission: Admission, settings: Settings) -> APIRouter:
    """Builds the routes, which answer 404 and are in no document where there is no queue."""
    storage = Storage(pipeline, settings) if settings.dicom_queue else None
    router = APIRouter(tags=["storage"], include_in_schema=storage is not None)
    # The first parameter of each route, so that a stranger learns nothing else.
    Opened = Annotated[Storage, Depends(_opener(storage, settings))]
    Answer = Annotated[str, Depends(acceptable(DICOM_JSON, JSON))]

    @router.post(STUDIES, **_ROUTE)
    async def store_instances(
        opened: Opened, request: Request, answer: Answer, timeout_ms: Timeout = None
    ) -> Response:
        """Stores DICOM objects for their analysis by the DICOM node (STOW-RS, PS3.18, 10.5). The
        response says of each whether it is stored, and why not."""
        return await store(opened, request, "", timeout_ms, answer)

    @router.post(STUDY, **_ROUTE)
    async def store_instances_of_study(
        opened: Opened, request: Request, study: Study, answer: Answer, timeout_ms: Timeout = None
    ) -> Response:
        """Stores DICOM objects of one study, as the route without a study does."""
        return await store(opened, request, study, timeout_ms, answer)

    async def store(
        opened: Storage, request: Request, study: str, timeout_ms: int | None, media_type: str
    ) -> Response:
        with admission.admit(state_of(request.scope).caller) as ticket:
            async with Deadline(timeout_ms, settings):
                parts = await _read(request, ticket, settings)
                async with while_connected(request):
                    return respond(await opened.store(parts, study), media_type)

    return router


def _opener(storage: Storage | None, settings: Settings) -> Callable[[Request], Awaitable[Storage]]:
    networks = [network for peer in settings.peers for network in peer.networks]

    async def opened(request: Request) -> Storage:
        """Returns the storage to those who may use it, before the body is read.

        Raises RequestProblem.
        """
        if storage is None:
            detail = "this service stores no DICOM objects; its operator has set no queue for them"
            raise RequestProblem(HTTPStatus.NOT_FOUND, "storage-disabled", detail)
        address = address_of(request.scope, settings.trusted_proxies)
        if not is_trusted(address, networks):
            detail = "this address may not store DICOM objects; the operator lists those that may"
            raise RequestProblem(HTTPStatus.FORBIDDEN, "sender-not-allowed", detail)
        state_of(request.scope).caller = subscriber(address)
        return storage

    return opened


async def _read(request: Request, ticket: Ticket, settings: Settings) -> list[Part]:
    """Reads the parts of the body. Raises RequestProblem."""
    check_encoding(request)
    boundary = _boundary(request.headers.get("content-type", ""))
    body = bounded(
        request,
        max_bytes=settings.max_batch_bytes,
        pause=settings.body_timeout_seconds,
        count=ticket.add_bytes,
    )
    most = settings.max_images_per_batch

    def check(count: int) -> None:
        if count > most:
            raise too_many_images(most, "send fewer at once")

    try:
        return await read_parts(body, boundary, max_bytes=settings.max_image_bytes, check=check)
    except MalformedBody as error:
        raise _malformed(str(error)) from error


def _boundary(content_type: str) -> str:
    """Returns the boundary of a body of DICOM objects. Raises RequestProblem."""
    try:
        main, sub, given = mimeparse.parse_mime_type(content_type)
    except mimeparse.MimeTypeParseException:
        main, sub, given = "", "", {}
    parameters = {name.lower(): value for name, value in given.items()}
    # RFC 2387 requires the parameter type; clients that leave it out mean the same.
    if (f"{main}/{sub}".lower(), parameters.get("type", DICOM).lower()) != (RELATED, DICOM):
        raise RequestProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f'the Content-Type is not {RELATED}; type="{DICOM}"; send the objects in such a body',
            headers={"Accept": RELATED},
        )
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise _malformed("the Content-Type has no boundary")
    return str(boundary)


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-multipart", detail)


def _answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {DICOM_JSON: {"schema": {"type": "object"}}}}


_ROUTE: dict[str, Any] = {
    "summary": "Store DICOM objects",
    "response_class": Response,
    "openapi_extra": openapi.related_body(),
    "responses": {
        HTTPStatus.OK.value: _answer("All objects are stored"),
        HTTPStatus.ACCEPTED.value: _answer("Some objects are stored; the others have a reason"),
        HTTPStatus.CONFLICT.value: _answer("No object is stored; each has a reason"),
    }
    | openapi.problems(400, 403, 404, 406, 408, 413, 415, 500, 503, 504),
}
