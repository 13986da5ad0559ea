"""The answer to a store transaction: a data set as JSON (PS3.18, 10.5.3, annexes F and I)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Response

from bentos.http.negotiation import VARY
from bentos.http.problems import RequestProblem
from chestxray.dicom import storage
from chestxray.dicom.instance import Instance
from chestxray.dicom.storage import Status

RETRY_SECONDS = 30
"""Retry-After while the queue takes nothing: it empties at the speed of the analyses, or an
operator has to make space."""

_RETRIEVE_URL = {storage.RETRIEVE_URL: {"vr": "UR"}}
"""Type 2, and empty: nothing can be retrieved here."""


@dataclass(frozen=True)
class Outcome:
    """What became of one object; without `instance` its header does not say which object it is."""

    instance: Instance | None
    failure: Status | None = None

    @property
    def stored(self) -> bool:
        """Whether the object is in the queue."""
        return self.failure is None


def respond(outcomes: Sequence[Outcome], media_type: str) -> Response:
    """Returns the data set. Raises RequestProblem 503 if it is only the queue that took nothing.

    The statuses are those of PS3.18, table 10.5.3-1. It wants the data set with 409, too, which
    says what became of each object, so that this 409 is the one error without a problem document.
    """
    if all(each.failure is Status.OUT_OF_RESOURCES for each in outcomes):
        raise RequestProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "storage-unavailable",
            f"the queue is full or cannot be written; nothing was stored, try again in "
            f"{RETRY_SECONDS} s",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    body = json.dumps(data_set(outcomes))
    return Response(body, _status(outcomes), VARY, media_type=media_type)


def data_set(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Returns the store instances response module (PS3.18, I.2) in the DICOM JSON model."""
    stored = [_reference(each) | _RETRIEVE_URL for each in outcomes if each.stored]
    failed = [_reference(each) | _reason(each) for each in outcomes if not each.stored]
    named = [item for item in failed if storage.SOP_INSTANCE in item]
    unnamed = [item for item in failed if storage.SOP_INSTANCE not in item]
    sequences = {storage.FAILED: named, storage.REFERENCED: stored, storage.OTHER_FAILURES: unnamed}
    present = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
    return _RETRIEVE_URL | present


def _status(outcomes: Sequence[Outcome]) -> HTTPStatus:
    if all(each.stored for each in outcomes):
        return HTTPStatus.OK
    return HTTPStatus.ACCEPTED if any(each.stored for each in outcomes) else HTTPStatus.CONFLICT


def _reference(outcome: Outcome) -> dict[str, Any]:
    if outcome.instance is None:
        return {}
    return {
        storage.SOP_CLASS: {"vr": "UI", "Value": [outcome.instance.sop_class]},
        storage.SOP_INSTANCE: {"vr": "UI", "Value": [outcome.instance.sop_instance]},
    }


def _reason(outcome: Outcome) -> dict[str, Any]:
    return {storage.FAILURE_REASON: {"vr": "US", "Value": [outcome.failure]}}
