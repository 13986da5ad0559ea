"""The path that a reverse proxy serves the service under, and takes off before it forwards."""

import re
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import Scope

from bentos.http.client_address import Networks, is_trusted
from bentos.settings import PATH_PREFIX

_HEADER = "X-Forwarded-Prefix"

prefix: ContextVar[str] = ContextVar("prefix", default="")
"""Of the request that is being answered; without a slash at its end."""


def prefix_of(scope: Scope, *, trusted: Networks, default: str) -> str:
    """The prefix that a trusted proxy names, or else the one that is configured."""
    client = scope.get("client")
    if client and is_trusted(client[0], trusted):
        named = Headers(scope=scope).get(_HEADER, "").rstrip("/")
        if named and re.fullmatch(PATH_PREFIX, named):
            return named
    return default
