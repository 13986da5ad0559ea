"""Reads why there is no result, from an answer with a status other than 200."""

import json
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from chestxray.client.errors import ProblemError
from chestxray.client.results import Problem
from chestxray.client.structure import structured

_SECONDS = re.compile(r"[0-9]{1,9}")


def refusal(status: int, headers: httpx.Headers, body: bytes) -> ProblemError:
    """Returns the error of an answer, be it of the service or of a proxy without a problem."""
    return ProblemError(_problem(status, headers, body), retry_after=_retry_after(headers))


def _problem(status: int, headers: httpx.Headers, body: bytes) -> Problem:
    try:
        return structured(Problem, json.loads(body))
    except ValueError:  # what a proxy wrote may be anything
        known = status in HTTPStatus._value2member_map_
        return Problem(
            type="about:blank",
            title=HTTPStatus(status).phrase if known else "Unknown status",
            status=status,
            detail="the answer has no problem document of this service",
            code="",
            request_id=headers.get("x-request-id", ""),
        )


def _retry_after(headers: httpx.Headers) -> float | None:
    """The seconds to wait (RFC 9110, 10.2.3); None where nothing valid is said."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    when, now = _instant(value), _instant(headers.get("date", ""))
    if when is None:
        return None
    # By the server's clock where it is told: ours may differ.
    return max(0.0, when - (time.time() if now is None else now))


def _instant(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
