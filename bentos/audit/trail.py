"""The audit file: one line of JSON for each thing that is done to a kept analysis, job or key.

No line has an image, a file name, a secret, a cookie, an address, or a key's name. A line that
cannot be written is counted and left out: the service stays available without its audit file. The
lines about refused callers are bounded; those beyond are counted in a line of their own.
"""

import asyncio
import hashlib
import logging
import socket
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from bentos.audit.append_only import AppendOnlyFile
from bentos.audit.refusals import Refusals
from bentos.callers.caller import VISITOR_OWNER
from bentos.logs.lines import request_id
from bentos.metrics import get_metrics

logger = logging.getLogger(__name__)

SERVICE, OPERATOR, UNKNOWN = "service", "operator", "unknown"
"""Actors without a key or a cookie: ourselves, the commands, and who was refused."""
_DIGEST_CHARACTERS = 16


class Event(StrEnum):
    """What is done."""

    KEPT = "analysis.kept"
    READ = "analysis.read"
    PICTURE_READ = "analysis.picture_read"
    LISTED = "analysis.listed"
    DELETED = "analysis.deleted"
    DELETED_ALL = "analyses.deleted_all"
    EXPIRED = "analysis.expired"
    JOB_SUBMITTED = "job.submitted"
    JOBS_LISTED = "job.listed"
    JOB_READ = "job.read"
    JOB_RESULTS_READ = "job.results_read"
    JOB_CANCELLED = "job.cancelled"
    JOB_DELETED = "job.deleted"
    KEYS_LISTED = "key.listed"
    KEY_READ = "key.read"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_DELETED = "webhook.deleted"
    SIGNED_IN = "person.signed_in"
    SIGNED_OUT = "person.signed_out"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    REFUSED = "authentication.refused"


class Outcome(StrEnum):
    """What became of it."""

    SUCCESS = "success"
    NOT_FOUND = "not_found"
    """There is no such analysis or job of this caller's, or no such key."""
    REFUSED = "refused"


class Trail:
    """Appends to the audit file; where there is none, it does nothing."""

    def __init__(self, path: str, refusals: Refusals | None = None) -> None:
        self._file = AppendOnlyFile(Path(path)) if path else None
        self._failed = False
        self._refusals = refusals or Refusals()
        self._timer: asyncio.TimerHandle | None = None
        processors: list[Any] = [
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(sort_keys=True),
        ]
        self._lines: Any = structlog.wrap_logger(
            self._file, processors=processors, wrapper_class=structlog.BoundLogger
        ).bind(gateway=socket.gethostname())

    def record(
        self, event: Event, owner: str, *, outcome: Outcome = Outcome.SUCCESS, **about: Any
    ) -> None:
        """Writes a line; `owner` is that of a caller's analyses, or an actor without any."""
        if self._file is None:
            return
        actor = _actor(owner)
        if event is Event.REFUSED and not self._admits(actor):
            return
        if identifier := request_id.get():
            about["request_id"] = identifier
        self._write(event, actor, outcome, **about)

    def close(self) -> None:
        """Closes the file, in which is then how many lines were left out."""
        if self._file:
            self._end_minute()
            self._file.close()

    def _admits(self, actor: str) -> bool:
        """Whether to write a line about a refused caller; one that is not is counted."""
        if self._refusals.remaining <= 0:
            self._end_minute()
        if self._refusals.admits(actor.partition(":")[0]):
            return True
        if self._timer is None:  # the last refusal may have been now, and its number must not wait
            with suppress(RuntimeError):  # a command has no loop, and writes it at its end
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._refusals.remaining, self._end_minute)
        return False

    def _end_minute(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        left_out, seconds = self._refusals.restart()
        for kind, count in left_out.items():
            about = {"left_out": count, "seconds": round(seconds)}
            self._write(Event.REFUSED, kind, Outcome.REFUSED, **about)

    def _write(self, event: Event, actor: str, outcome: Outcome, **about: Any) -> None:
        try:
            self._lines.append(event.value, actor=actor, outcome=outcome.value, **about)
        except OSError as error:
            get_metrics().audit_failures.inc()
            if not self._failed:
                logger.error("the audit file cannot be written: %s", error.strerror or error)
            self._failed = True
        else:
            if self._failed:
                logger.warning("the audit file can be written again")
            self._failed = False


def digest_of(name: str) -> str:
    """Returns what stands for a name that a line must not have, as the id of a job, which is its
    caller's own."""
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _actor(owner: str) -> str:
    """Returns an owner without the name that is in a visitor's cookie."""
    if not owner.startswith(VISITOR_OWNER):
        return owner or UNKNOWN
    return f"{VISITOR_OWNER}{digest_of(owner.removeprefix(VISITOR_OWNER))}"
