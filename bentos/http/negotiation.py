"""Content negotiation by Accept, Accept-Encoding and Accept-Language (RFC 9110, 12.5)."""

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

_Range = tuple[str, str, dict[str, str]]
"""Type, subtype and parameters of a media range, `q` among them."""


def acceptable(*offered: str) -> Callable[[Request, Response], Awaitable[str]]:
    """Creates a FastAPI dependency that negotiates the media type; it raises RequestProblem 406."""

    async def choose(request: Request, response: Response) -> str:
        response.headers.update(VARY)
        return negotiate(",".join(request.headers.getlist("accept")).lower(), offered)

    return choose


def negotiate(accept: str, offered: Sequence[str]) -> str:
    """Returns the most preferred of the offered media types; the first one in a tie.

    One with a parameter is not meant by a range that has another value for it, and is meant by one
    without it. Raises RequestProblem 406.
    """
    if not accept.strip():
        return offered[0]
    try:
        ranges = [mimeparse.parse_media_range(each) for each in accept.split(",") if each.strip()]
    except mimeparse.MimeTypeParseException:
        return offered[0]  # ignores a malformed header
    weights = {each: _weight_of(each, ranges) for each in offered}
    best = max(offered, key=weights.__getitem__)
    if not weights[best][0]:
        near = [each for each in offered if any(_contradicts(r, each) for r in ranges)]
        near = near or list(dict.fromkeys(each.partition(";")[0] for each in offered))
        raise RequestProblem(
            HTTPStatus.NOT_ACCEPTABLE,
            "not-acceptable",
            f"the Accept header allows none of the available media types: {', '.join(near)}",
            headers=VARY,
            offered=near,
        )
    return best


def _weight_of(offered: str, ranges: Sequence[_Range]) -> tuple[float, float]:
    """The quality of a media type, by the most specific range that means it, and how specific that
    is."""
    meant = [each for each in ranges if not _contradicts(each, offered)]
    found: tuple[float, float] = mimeparse.quality_and_fitness_parsed(offered, meant)
    return found


def _contradicts(accepted: _Range, offered: str) -> bool:
    """Whether a range is of this media type, but has another value for one of its parameters."""
    kind, subtype, parameters = mimeparse.parse_mime_type(offered)
    return accepted[:2] == (kind, subtype) and any(
        accepted[2].get(name, value) != value for name, value in parameters.items()
    )


def accepts_gzip(encodings: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    for each in encodings.lower().replace(" ", "").split(","):
        name, _, weight = each.partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


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
