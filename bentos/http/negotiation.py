"""Content negotiation by the headers Accept and Accept-Language (RFC 9110, 12.5)."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import mimeparse
from fastapi import Request, Response

from bentos.http.problems import RequestProblem

JSON, PNG = "application/json", "image/png"
DICOM, RELATED = "application/dicom", "multipart/related"
"""One object, and several (RFC 2387, as DICOMweb has them: PS3.18, 8.6.1.2)."""
DICOM_JSON = "application/dicom+json"
"""A data set without pixels (PS3.18, annex F)."""
FHIR, TEXT = "application/fhir+json", "text/plain"
VARY = {"Vary": "Accept"}
"""Tells caches that the response depends on Accept."""


def acceptable(
    *offered: str, ignore: Callable[[str], bool] = lambda _: False
) -> Callable[[Request, Response], Awaitable[str]]:
    """Creates a FastAPI dependency that negotiates the media type; it raises RequestProblem 406.

    Ranges that `ignore` names cannot be met, because of their parameters; they count only if the
    header has no others.
    """

    async def choose(request: Request, response: Response) -> str:
        response.headers.update(VARY)
        accept = ",".join(request.headers.getlist("accept")).lower()
        others = [each for each in accept.split(",") if each.strip() and not ignore(each)]
        return negotiate(",".join(others) or accept, offered)

    return choose


def negotiate(accept: str, offered: Sequence[str]) -> str:
    """Returns the most preferred of the offered media types; the first one in a tie.

    Raises RequestProblem 406.
    """
    if not accept.strip():
        return offered[0]
    try:
        # mimeparse returns the last one in a tie.
        wanted = mimeparse.best_match(list(reversed(offered)), accept)
    except mimeparse.MimeTypeParseException:
        return offered[0]  # ignores a malformed header
    if not wanted:
        raise RequestProblem(
            HTTPStatus.NOT_ACCEPTABLE,
            "not-acceptable",
            f"the Accept header allows none of the available media types: {', '.join(offered)}",
            headers=VARY,
            offered=list(offered),
        )
    return str(wanted)


def language(accepted: str, offered: Sequence[str]) -> str:
    """Returns the offered language that an Accept-Language header prefers; else the first.

    Only the primary subtag is compared: pt-PT is answered in pt-BR, for there is nothing closer.
    """
    for wanted in sorted(accepted.lower().split(","), key=_weight, reverse=True):
        primary = wanted.partition(";")[0].strip().partition("-")[0]
        for tag in offered:
            if _weight(wanted) > 0 and tag.lower().partition("-")[0] == primary:
                return tag
    return offered[0]


def _weight(wanted: str) -> float:
    _, _, weight = wanted.partition(";q=")
    try:
        return float(weight or 1)
    except ValueError:
        return 0.0
