"""What RFC 9110 and 9112 ask of a request that could be parsed, before it is routed."""

import re
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import Scope

from bentos.http.problems import RequestProblem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Those that some path may have."""
SERVER_WIDE = "*"
"""The target of an OPTIONS that asks about no path."""

_HOST = re.compile(
    rb"(?:(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII
)
_ABSOLUTE = re.compile(rb"https?://([^/]*)(/.*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_API = "/v1/"


def check(scope: Scope) -> None:
    """Raises RequestProblem for a request that no server may, or this one does not, answer."""
    if not scope["http_version"].startswith("1."):
        detail = f"HTTP/{scope['http_version']} was sent; HTTP/1.1 and HTTP/1.0 are answered"
        status = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        raise RequestProblem(status, "unsupported-http-version", detail)
    _check_host(scope)
    _check_expectations(scope)
    if scope["method"] == "CONNECT":  # any other is refused by the path, which names its own
        detail = "this server is no proxy"
        raise RequestProblem(HTTPStatus.NOT_IMPLEMENTED, "method-not-implemented", detail)


def route_by_path(scope: Scope) -> None:
    """Leaves of the target the path that is routed by. Raises RequestProblem."""
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if absolute := _ABSOLUTE.fullmatch(target):  # RFC 9112, 3.2.2
        if not _HOST.fullmatch(absolute[1]):
            raise _malformed("the host of the target is not valid")
        target = absolute[2] or b"/"
        _set_path(scope, target)
    if b"#" in target or b"#" in scope["query_string"] or _CONTROL.search(scope["path"]):
        raise _malformed("the target has characters that none may have")
    server_wide = scope["path"] == SERVER_WIDE and scope["method"] == "OPTIONS"
    if not target.startswith(b"/") and not server_wide:
        raise _malformed("the target is no path")
    if scope["path"].startswith(_API) and target.endswith(b"/"):
        _set_path(scope, target[:-1])  # a redirect would name a host, and may drop the body


def asks_to_continue(scope: Scope) -> bool:
    """Whether the body comes only once it is asked for; HTTP/1.0 has no such thing."""
    return bool(_expectations(scope)) and scope["http_version"] != "1.0"


def _set_path(scope: Scope, target: bytes) -> None:
    scope["raw_path"], scope["path"] = target, unquote(target.decode("ascii"))


def _check_host(scope: Scope) -> None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise _malformed("the Host header is no valid host")


def _check_expectations(scope: Scope) -> None:
    if any(each != b"100-continue" for each in _expectations(scope)):
        detail = "nothing but 100-continue may be expected"
        raise RequestProblem(HTTPStatus.EXPECTATION_FAILED, "expectation-failed", detail)


def _expectations(scope: Scope) -> list[bytes]:
    values = [value for name, value in scope["headers"] if name == b"expect"]
    return [each.strip().lower() for value in values for each in value.split(b",")]


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", detail)
