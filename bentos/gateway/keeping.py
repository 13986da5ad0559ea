"""Keeps an analysis where its caller asks for that."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request, Response

from bentos.callers.authentication import Authentication
from bentos.callers.caller import ANONYMOUS, VISITOR_OWNER, Caller, Scope
from bentos.callers.visitors import COOKIE
from bentos.database.errors import StorageUnavailable
from bentos.gateway.image_task import Heatmaps, ImageTask
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload
from bentos.history.archive import HEATMAP, IMAGE
from bentos.history.errors import (
    IdempotencyConflict,
    StillInProgress,
    StorageFull,
    TooManyKept,
)
from bentos.history.history import History
from bentos.history.records import Record
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from bentos.http.scheme import is_https
from bentos.settings import Settings
from chestxray.results import Analysis

logger = logging.getLogger(__name__)

ANALYSES = "/v1/analyses"
_RETRY = {"Retry-After": "5"}


class Kept(NamedTuple):
    """What a request has kept."""

    record: Record
    cookie: str
    """Of a visitor who had none; else empty."""


class Keeping:
    """Keeps analyses for their callers; where the service keeps none, it says so."""

    def __init__(self, history: History | None, pipeline: Pipeline, settings: Settings) -> None:
        self._history, self._pipeline, self._settings = history, pipeline, settings
        self._authentication: Authentication | None = None
        if history:
            self._authentication = Authentication(
                history.keys, history.visitors, anonymous=settings.anonymous
            )

    @property
    def history(self) -> History:
        """Where analyses are kept. Raises RequestProblem 403."""
        if self._history is None:
            detail = "this service keeps no analyses; its operator has set no place for them"
            raise RequestProblem(HTTPStatus.FORBIDDEN, "history-disabled", detail)
        return self._history

    @property
    def is_enabled(self) -> bool:
        """Whether the service keeps analyses."""
        return self._history is not None

    async def caller(self, request: Request, *scopes: Scope) -> Caller:
        """Returns who sent a request, if that caller may do all of this. Raises RequestProblem."""
        if Scope.HISTORY in scopes:
            _ = self.history
        if self._authentication is None:
            return ANONYMOUS
        with translated():
            return await self._authentication.caller(request, *scopes)

    async def analyse(
        self, upload: Upload, caller: Caller, *, heatmap: Heatmaps, key: str | None
    ) -> tuple[ImageTask, Kept]:
        """Analyses an image and keeps the analysis, or returns what an earlier request with the
        same idempotency key has kept.

        Raises RequestProblem, or the reason why the image cannot be analysed.
        """
        history, cookie = self.history, ""
        asked = _fingerprint(upload.data, heatmap)
        if not caller.owner:
            caller, cookie = history.visitors.introduce()
        elif key:
            with translated():
                if earlier := await history.records.find_by_key(caller.owner, key, asked):
                    drawn = await history.archive.picture(earlier, HEATMAP)
                    task = ImageTask(upload, analysis=shown(earlier), drawn=drawn)
                    return task, Kept(earlier, cookie)
        maps: Heatmaps = "cam" if heatmap == "none" else heatmap  # one is drawn in any case
        task = await self._pipeline.analyse_one(upload, heatmap=maps, picture=True)
        hours = caller.retention_hours or self._settings.retention_hours
        record = Record(
            owner=caller.owner,
            result=task.result,
            expires_at=task.result.created_at + timedelta(hours=hours),
            fingerprint=asked,
            idempotency_key=key,
        )
        picture, drawn = await self._pipeline.write_picture(task), await self._pipeline.draw(task)
        with translated():
            record = await history.archive.keep(record, {IMAGE: picture, HEATMAP: drawn})
        task.analysis = shown(record)
        return task, Kept(record, cookie)

    def announce(self, response: Response, request: Request, kept: Kept) -> None:
        """Adds what a 201 response has, and a visitor's cookie, which lasts as long as what it
        opens."""
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"{prefix.get()}{ANALYSES}/{kept.record.id}"
        if kept.record.owner.startswith(VISITOR_OWNER):
            response.set_cookie(
                COOKIE,
                kept.cookie or request.cookies[COOKIE],
                max_age=self._settings.retention_hours * 3600,
                path=f"{prefix.get()}/",
                secure=is_https(request.scope, self._settings.trusted_proxies),
                httponly=True,
                samesite="strict",
            )


def shown(record: Record) -> Analysis:
    """Returns a kept analysis as it is answered."""
    return record.result.model_copy(update={"kept": True, "expires_at": record.expires_at})


def _fingerprint(data: bytes, options: str) -> str:
    """Returns a digest of what a request asks for."""
    return hashlib.sha256(options.encode() + b"\0" + data).hexdigest()


@contextmanager
def translated() -> Iterator[None]:
    """Turns what can go wrong with kept analyses into RequestProblem."""
    try:
        yield
    except TooManyKept as error:
        raise RequestProblem(HTTPStatus.FORBIDDEN, "too-many-kept", str(error)) from error
    except IdempotencyConflict as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise RequestProblem(status, "idempotency-conflict", str(error)) from error
    except StillInProgress as error:
        detail, code = str(error), "request-in-progress"
        raise RequestProblem(HTTPStatus.CONFLICT, code, detail, headers=_RETRY) from error
    except StorageUnavailable as error:
        detail = (
            "the place for kept analyses is full"
            if isinstance(error, StorageFull)
            else "kept analyses are unavailable; analyses without keep are not affected"
        )
        if not isinstance(error, StorageFull):
            logger.warning("kept analyses are unavailable: %s", error)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        raise RequestProblem(status, "storage-unavailable", detail, headers=_RETRY) from error
