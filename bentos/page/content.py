"""A body that stays the same while the service runs: compressed once, sent once to a client."""

import gzip
import hashlib
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response

from bentos.http.negotiation import accepts_gzip

_SMALLEST = 512
"""Bytes; compressing less saves no packet."""


class Content:
    """A body and its compressed form."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body, self.media_type = body, media_type
        self.digest = hashlib.sha256(body).hexdigest()[:16]
        compressed = gzip.compress(body, mtime=0) if len(body) >= _SMALLEST else body
        self._compressed = compressed if len(compressed) < len(body) else None

    def response(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Returns the form that the client accepts, or 304 if the client has it."""
        accepted = ",".join(request.headers.getlist("accept-encoding"))
        compressed = self._compressed if accepts_gzip(accepted) else None
        etag = f'"{self.digest}-gzip"' if compressed else f'"{self.digest}"'
        made = {**headers, "ETag": etag}
        if self._compressed:
            made["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
        if _names(etag, ",".join(request.headers.getlist("if-none-match"))):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=made)
        if compressed:
            made["Content-Encoding"] = "gzip"
        return Response(compressed or self.body, headers=made, media_type=self.media_type)


def _names(etag: str, header: str) -> bool:
    """Whether an If-None-Match header has an entity tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [each.strip().removeprefix("W/") for each in header.split(",")]
    return etag in tags or tags == ["*"]
