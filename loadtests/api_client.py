"""Sends a request and classifies its response."""

from collections.abc import Collection, Sequence

from locust.clients import HttpSession

ONE, SEVERAL = "/v1/analyses", "/v1/analyses/batch"
IMAGES = {ONE: 1, SEVERAL: 4}
"""Images in a request, by route."""
SERVED = (200, 422)
"""422: the filter rejected the image, as it should."""
SHED = (429, 503)
"""With Retry-After: shed load, reported separately."""
SHED_MARK = " shed"


def post(
    client: HttpSession,
    route: str,
    images: Sequence[bytes],
    *,
    name: str = "",
    right: Collection[int] = SERVED,
) -> None:
    """Posts images as a form; reports the response under `name`, or else under the route."""
    files = [("image", ("image", image)) for image in images]
    with client.post(route, files=files, name=name or route, catch_response=True) as answer:
        if answer.status_code in right:
            answer.success()
        elif answer.status_code in SHED and "Retry-After" in answer.headers:
            answer.request_meta["name"] += SHED_MARK
            answer.success()
        else:
            answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
