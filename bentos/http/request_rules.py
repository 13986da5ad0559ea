"""Checks that RFC 9110 and 9112 require of a parsed request, before routing."""

import re
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import Scope

from bentos.http.problems import RequestProblem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""All methods that a path may support."""
SERVER_WIDE = "*"
"""The target of a server-wide OPTIONS request."""

_HOST = re.compile(
    rb"(?:(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII
)
_ABSOLUTE = re.compile(rb"https?://([^/]*)(/.*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_API = "/v1/"


def check(scope: Scope) -> None:
    """Raises RequestProblem for a request that is invalid or not supported."""
    if not scope["http_version"].startswith("1."):
        detail = f"found HTTP/{scope['http_version']}; HTTP/1.1 and HTTP/1.0 are supported"
        status = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        raise RequestProblem(status, "unsupported-http-version", detail)
    _check_host(scope)
    _check_expectations(scope)
    if scope["method"] == "CONNECT":  # other methods get 405 with Allow from the route
        detail = "this server is not a proxy"
        raise RequestProblem(HTTPStatus.NOT_IMPLEMENTED, "method-not-implemented", detail)


def route_by_path(scope: Scope) -> None:
    """Reduces the request target to the path to route by. Raises RequestProblem."""
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if absolute := _ABSOLUTE.fullmatch(target):  # RFC 9112, 3.2.2
        if not _HOST.fullmatch(absolute[1]):
            raise _malformed("the host of the target is not valid")
        target = absolute[2] or b"/"
        _set_path(scope, target)
    if b"#" in target or b"#" in scope["query_string"] or _CONTROL.search(scope["path"]):
        raise _malformed("the target contains invalid characters")
    server_wide = scope["path"] == SERVER_WIDE and scope["method"] == "OPTIONS"
    if not target.startswith(b"/") and not server_wide:
        raise _malformed("the target is not a path")
    if scope["path"].startswith(_API) and target.endswith(b"/"):
        _set_path(scope, target[:-1])  # a redirect could lose the body


def asks_to_continue(scope: Scope) -> bool:
    """Whether the client waits for 100 Continue before it sends the body; never in HTTP/1.0."""
    return bool(_expectations(scope)) and scope["http_version"] != "1.0"


def _set_path(scope: Scope, target: bytes) -> None:
    scope["raw_path"], scope["path"] = target, unquote(target.decode("ascii"))


def _check_host(scope: Scope) -> None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise _malformed("the Host header is not a valid host")


def _check_expectations(scope: Scope) -> None:
    if any(each != b"100-continue" for each in _expectations(scope)):
        detail = "only 100-continue is supported in Expect"
        raise RequestProblem(HTTPStatus.EXPECTATION_FAILED, "expectation-failed", detail)


def _expectations(scope: Scope) -> list[bytes]:
    values = [value for name, value in scope["headers"] if name == b"expect"]
    return [each.strip().lower() for value in values for each in value.split(b",")]


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", detail)
