"""Whether a request comes from our own page, for those that a cookie alone authorises.

SameSite=Strict keeps the cookie from other sites, but not from other hosts of the same site, and
not in browsers that do not know it.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request

from bentos.http.problems import RequestProblem

_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN_SITE = ("same-origin", "none")
"""`none` is what the person did without a page."""


def check(request: Request, public_url: str) -> None:
    """Raises RequestProblem where a page of another origin would change something."""
    if request.method in _SAFE or is_own(request, public_url):
        return
    detail = "a page of another site may not use the session of who has signed in here"
    raise RequestProblem(HTTPStatus.FORBIDDEN, "cross-site-request", detail)


def is_own(request: Request, public_url: str) -> bool:
    """Whether the request is not from a page of another origin. What sends neither header is no
    browser of the last years, and has no cookie of somebody else."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in _OWN_SITE
    parts = urlsplit(public_url)
    return origin is None or origin == f"{parts.scheme}://{parts.netloc}"
