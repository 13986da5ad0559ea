"""Which media type a caller wants of those that a route answers with (RFC 9110, 12.5.1)."""

from collections.abc import Sequence
from http import HTTPStatus

import mimeparse
from fastapi import Request

from bentos.gateway.problems import RequestProblem

JSON, PNG = "application/json", "image/png"
VARY = {"Vary": "Accept"}
"""For caches: the answer depends on that header."""


def negotiate(request: Request, offered: Sequence[str]) -> str:
    """The offered media type that is wanted most; the first one where several are.

    Raises RequestProblem 406.
    """
    accept = ",".join(request.headers.getlist("accept")).lower()
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
