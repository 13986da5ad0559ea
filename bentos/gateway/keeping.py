"""Keeps an analysis where its caller asks for that."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request, Response

from bentos.audit.trail import Event
from bentos.callers.authentication import Authentication, Known
from bentos.callers.caller import ANONYMOUS, Caller, Scope
from bentos.callers.quotas import Quotas
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
from bentos.http.request_state import state_of
from bentos.http.scheme import is_https
from bentos.settings import Settings
from chestxray.results import Analysis

logger = logging.getLogger(__name__)

ANALYSES = "/v1/analyses"
_RETRY = {"Retry-After": "5"}


class Kept(NamedTuple):
    """What a request has kept."""

    record: Record
    caller: Caller
    cookie: str
    """Of a visitor who had none; else empty."""


class Keeping:
    """Keeps analyses for their callers; where the service keeps none, it says so."""

    def __init__(
        self,
        history: History | None,
        pipeline: Pipeline,
        settings: Settings,
        quotas: Quotas,
    ) -> None:
        self._history, self._pipeline, self._settings = history, pipeline, settings
        self.quotas = quotas
        self._authentication: Authentication | None = None
        if history:
            self._authentication = Authentication(
                history.keys,
                history.visitors,
                anonymous=settings.anonymous,
                trail=history.trail,
                people=history.sign_in.sessions if history.sign_in else None,
                public_url=settings.public_url,
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
            caller = await self._authentication.caller(request, *scopes)
        state_of(request.scope).caller_kind = caller.kind
        return caller

    async def known(self, request: Request) -> Known:
        """Returns who sent a request, whatever that caller may do. Raises RequestProblem."""
        if self._authentication is None:
            return Known(replace(ANONYMOUS, scopes=frozenset({Scope.ANALYSE})))
        with translated():
            known = await self._authentication.known(request)
        state_of(request.scope).caller_kind = known.caller.kind
        return known

    async def analyse(
        self, upload: Upload, caller: Caller, *, heatmap: Heatmaps, key: str | None
    ) -> tuple[ImageTask, Kept]:
        """Analyses an image and keeps the analysis, or returns what an earlier request with the
        same idempotency key has kept.

        Raises RequestProblem, or the reason why the image cannot be analysed.
        """
        history, asked = self.history, _fingerprint(upload.data, heatmap)
        caller, cookie = self.introduced(caller)
        if key and not cookie:
            with translated():
                if earlier := await history.records.find_by_key(caller.owner, key, asked):
                    drawn = await history.archive.picture(earlier, HEATMAP)
                    history.trail.record(Event.READ, caller.owner, analysis=earlier.id)
                    task = ImageTask(upload, analysis=shown(earlier), drawn=drawn)
                    return task, Kept(earlier, caller, cookie)
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
        event = Event.KEPT if record.id == task.result.id else Event.READ  # an earlier one
        history.trail.record(event, caller.owner, analysis=record.id)
        task.analysis = shown(record)
        return task, Kept(record, caller, cookie)

    def introduced(self, caller: Caller) -> tuple[Caller, str]:
        """Returns a caller that can own something, and the cookie of a new visitor, or ""."""
        return (caller, "") if caller.owner else self.history.visitors.introduce()

    def announce(self, response: Response, request: Request, kept: Kept) -> None:
        """Adds what a 201 response has."""
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"{prefix.get()}{ANALYSES}/{kept.record.id}"
        self.remember(response, request, kept.caller, kept.cookie)

    def remember(self, response: Response, request: Request, caller: Caller, cookie: str) -> None:
        """Adds a visitor's cookie, which lasts as long as what it opens."""
        if caller.is_visitor:
            response.set_cookie(
                COOKIE,
                cookie or request.cookies[COOKIE],
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
