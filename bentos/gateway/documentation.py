"""API documentation: OpenAPI document, Swagger UI, ReDoc, and a page of all problem codes."""

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from bentos.http.codes import CODES, PAGE
from bentos.http.prefix import prefix
from bentos.settings import Settings
from chestxray.results import DISCLAIMER

# Relative to the page, so that they work behind any prefix.
_STATIC = "static-offline-docs"
_DOCUMENT = "openapi.json"
_READ = ["GET", "HEAD"]


def install(app: FastAPI, document: dict[str, Any], settings: Settings) -> None:
    """Adds the routes; `document` is the OpenAPI document without `servers`."""
    static = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")
    app.mount(f"/{_STATIC}", static, name=_STATIC)
    problems = _problems()

    @app.api_route(f"/{_DOCUMENT}", methods=_READ, include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse({"servers": [{"url": prefix.get() or "/"}]} | document)

    @app.api_route("/docs", methods=_READ, include_in_schema=False)
    def swagger(request: Request) -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url=_DOCUMENT,
            title=f"{app.title}: API",
            swagger_js_url=f"{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{_STATIC}/swagger-ui.css",
            swagger_favicon_url="web/icon.svg",
        )
        return _under_policy(page, settings)

    @app.api_route("/redoc", methods=_READ, include_in_schema=False)
    def redoc(request: Request) -> HTMLResponse:
        page = get_redoc_html(
            openapi_url=_DOCUMENT,
            title=f"{app.title}: API",
            redoc_js_url=f"{_STATIC}/redoc.standalone.js",
            with_google_fonts=False,
            redoc_favicon_url="web/icon.svg",
        )
        return _under_policy(page, settings)

    @app.api_route(PAGE, methods=_READ, include_in_schema=False)
    def problem_codes() -> HTMLResponse:
        return _under_policy(HTMLResponse(problems), settings)


def _under_policy(page: HTMLResponse, settings: Settings) -> HTMLResponse:
    """Sets a Content-Security-Policy: own scripts, inline ones by hash, and inline styles, which
    Swagger UI and ReDoc generate.
    """
    scripts = re.findall(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *(f"'sha256-{each}'" for each in hashes)]),
        "worker-src": "blob:",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": settings.frame_ancestors,
    }
    page.headers["Content-Security-Policy"] = "; ".join(" ".join(part) for part in policy.items())
    page.headers["Referrer-Policy"] = "no-referrer"
    return page


def _problems() -> str:
    """Renders the page that every problem's `type` links to."""
    sections = "\n".join(
        f'<section id="{name}"><h2><code>{name}</code></h2>'
        f"<p>Status {code.status.value} {escape(code.status.phrase)}</p>"
        f"<p>{escape(code.meaning)}</p><p><strong>What to do:</strong> {escape(code.advice)}</p>"
        "</section>"
        for name, code in sorted(CODES.items())
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chestxray: problems</title>
<link rel="icon" href="../web/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="../web/styles/tokens.css">
<link rel="stylesheet" href="../web/styles/page.css">
</head>
<body>
<aside class="warning"><strong>{DISCLAIMER}</strong></aside>
<main>
<h1>Problems</h1>
<p>Every error is application/problem+json (RFC 9457) with one of these codes. <code>code</code> is
stable, <code>detail</code> describes this request, <code>request_id</code> identifies it in the
operator's log. <a href="../docs">The API</a></p>
{sections}
</main>
</body>
</html>
"""
