"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import mimeparse
from fastapi import Request, Response

from bentos.http.problems import RequestProblem

JSON, PNG = "application/json", "image/png"
VARY = {"Vary": "Accept"}
"""Tells caches that the response depends on Accept."""


def acceptable(*offered: str) -> Callable[[Request, Response], Awaitable[str]]:
    """Creates a FastAPI dependency that negotiates the media type; it raises RequestProblem 406."""

    async def choose(request: Request, response: Response) -> str:
        response.headers.update(VARY)
        return negotiate(",".join(request.headers.getlist("accept")).lower(), offered)

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
