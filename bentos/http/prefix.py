"""The path prefix that a reverse proxy strips before it forwards a request."""

import re
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import Scope

from bentos.http.client_address import Networks, is_trusted
from bentos.settings import PATH_PREFIX

_HEADER = "X-Forwarded-Prefix"

prefix: ContextVar[str] = ContextVar("prefix", default="")
"""Prefix of the current request, without a trailing slash."""


def prefix_of(scope: Scope, *, trusted: Networks, default: str) -> str:
    """Returns the prefix from a trusted proxy's header, or else the configured one."""
    client = scope.get("client")
    if client and is_trusted(client[0], trusted):
        named = Headers(scope=scope).get(_HEADER, "").rstrip("/")
        if named and re.fullmatch(PATH_PREFIX, named):
            return named
    return default
