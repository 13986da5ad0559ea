"""One request, and what its answer counts as."""

from collections.abc import Collection, Sequence

from locust.clients import HttpSession

ONE, SEVERAL = "/v1/analyses", "/v1/analyses/batch"
SERVED = (200, 422)
"""422 is a filter that works."""
SHED = (429, 503)
"""Not served, but well: told at once when to return. Counted apart."""
SHED_MARK = " shed"


def post(
    client: HttpSession,
    route: str,
    images: Sequence[bytes],
    *,
    name: str = "",
    right: Collection[int] = SERVED,
) -> None:
    """Posts images as a form, and counts the answer under the route's name, or the one given."""
    files = [("image", ("image", image)) for image in images]
    with client.post(route, files=files, name=name or route, catch_response=True) as answer:
        if answer.status_code in right:
            answer.success()
        elif answer.status_code in SHED and "Retry-After" in answer.headers:
            answer.request_meta["name"] += SHED_MARK
            answer.success()
        else:
            answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
