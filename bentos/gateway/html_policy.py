"""A Content-Security-Policy for the pages that FastAPI makes: /docs and /redoc.

Their one inline script is allowed by its hash. Their styles are inline, and Redoc's search runs in
a worker that it makes itself.
"""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_HEADER = "Content-Security-Policy"


class HtmlPolicy:
    """Gives every page a policy that has none of its own."""

    def __init__(self, app: ASGIApp, *, frame_ancestors: str) -> None:
        self._app, self._frame_ancestors = app, frame_ancestors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        page = b""

        async def answer(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start" and _has_no_policy(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            page += message.get("body", b"")
            if not message.get("more_body", False):
                MutableHeaders(scope=start)[_HEADER] = self._policy(page)
                await send(start)
                await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, answer)

    def _policy(self, page: bytes) -> str:
        hashes = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page)]
        scripts = [f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes]
        policy = {
            "default-src": "'none'",
            "script-src": " ".join(["'self'", *scripts]),
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data:",
            "font-src": "'self' data:",
            "connect-src": "'self'",
            "worker-src": "blob:",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": self._frame_ancestors,
        }
        return "; ".join(f"{name} {value}" for name, value in policy.items())


def _has_no_policy(message: Message) -> bool:
    headers = MutableHeaders(scope=message)
    return headers.get("content-type", "").startswith("text/html") and _HEADER not in headers
