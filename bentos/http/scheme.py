"""Whether a request came by HTTPS: this server speaks none, but a proxy in front may."""

from starlette.datastructures import Headers
from starlette.types import Scope

from bentos.http.client_address import Networks, is_trusted

_HEADER = "X-Forwarded-Proto"


def is_https(scope: Scope, trusted: Networks) -> bool:
    """Whether a trusted proxy says so; the first of several names what the client used."""
    client = scope.get("client")
    if not client or not is_trusted(client[0], trusted):
        return False
    return Headers(scope=scope).get(_HEADER, "").partition(",")[0].strip().lower() == "https"
