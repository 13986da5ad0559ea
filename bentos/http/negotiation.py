"""Which media type a caller wants of those that a route answers with (RFC 9110, 12.5.1)."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import mimeparse
from fastapi import Request, Response

from bentos.http.problems import RequestProblem

JSON, PNG = "application/json", "image/png"
VARY = {"Vary": "Accept"}
"""For caches: the answer depends on that header."""


def acceptable(*offered: str) -> Callable[[Request, Response], Awaitable[str]]:
    """A dependency of a route: which of these media types its caller wants.

    It raises RequestProblem 406.
    """

    async def choose(request: Request, response: Response) -> str:
        response.headers.update(VARY)
        return negotiate(",".join(request.headers.getlist("accept")).lower(), offered)

    return choose


def negotiate(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that is wanted most; the first one where several are.

    Raises RequestProblem 406.
    """
    if not accept.strip():
        return offered[0]
    try:
        # It takes the last one of several that are wanted alike.
        wanted = mimeparse.best_match(list(reversed(offered)), accept)
    except mimeparse.MimeTypeParseException:
        return offered[0]  # as if it were not there
    if not wanted:
        raise RequestProblem(
            HTTPStatus.NOT_ACCEPTABLE,
            "not-acceptable",
            f"the header Accept allows none of what there is: {', '.join(offered)}",
            headers=VARY,
            offered=list(offered),
        )
    return str(wanted)
