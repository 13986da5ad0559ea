"""The web page, its files and example images, with a strict Content-Security-Policy."""

import hashlib
import io
import json
from collections.abc import Callable
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from bentos.gateway import openapi, statements
from bentos.http import problems
from bentos.http.negotiation import negotiate
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from bentos.page import theme
from bentos.page.documents import Documents
from bentos.page.files import Files
from bentos.page.identity import Identity
from bentos.page.service_worker import service_worker
from bentos.portal import folder
from bentos.settings import SHIPPED_EXAMPLES, WEB, Settings
from chestxray.containers import MEDIA_TYPES
from chestxray.results import Example, Examples, Limits, Model

_EXAMPLE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
"""Formats that browsers can display too."""
_HTML = "text/html"
_THUMBNAIL_SIDE = 192  # pixels; twice the displayed size, for high-density screens
_REVALIDATED = {"Cache-Control": "no-cache"}
"""So that a new version appears at once."""
_UNCHANGING = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For what gets another address when it changes."""
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Of SVG files, which a browser may open as documents: no script of theirs runs."""


def install(app: FastAPI, settings: Settings, models: Callable[[], list[Model]]) -> Documents:
    """Adds the page's routes, and its answer to a browser that asks for what there is not;
    `models` returns the deployed ones. Raises PortalError."""
    portal = folder.read(settings.portal_folder)
    files, identity = Files(WEB, theme.changed_files(portal)), Identity(portal)
    documents = Documents(
        files,
        lambda: {
            "limits": _limits(settings).model_dump(mode="json"),
            "sign_in": settings.signs_in,
            "models": [each.model_dump(mode="json") for each in models()],
        },
        identity,
        public_url=settings.public_url,
    )
    headers = _headers(settings)
    app.include_router(_documents(settings, documents), include_in_schema=False)
    app.include_router(_files(settings, files, identity), include_in_schema=False)
    app.include_router(
        statements.create_router(documents, portal, settings, headers | _REVALIDATED),
        include_in_schema=False,
    )
    app.include_router(_facts(settings))
    _install_not_found(app, documents, headers)
    return documents


def _install_not_found(app: FastAPI, documents: Documents, headers: dict[str, str]) -> None:
    respond: Any = app.exception_handlers[HTTPException]

    @app.exception_handler(HTTPException)
    def on_http_exception(request: Request, error: HTTPException) -> Response:
        problem: Response = respond(request, error)
        accepted = ",".join(request.headers.getlist("accept")).lower()
        if error.status_code != HTTPStatus.NOT_FOUND or not _is_browser(accepted):
            return problem
        spoken = documents.spoken(request)
        text, start = (escape(documents.text(spoken, f"notFound.{k}")) for k in ("text", "start"))
        html = f'<p>{text}</p><p><a href="./">{start}</a></p>'
        title = documents.text(spoken, "notFound.title")
        html = documents.note(spoken, title, html, base=prefix.get())
        told = {"Content-Language": spoken, "Vary": "Accept, Accept-Language"} | headers
        return Response(html, HTTPStatus.NOT_FOUND, told, media_type="text/html")


def _is_browser(accepted: str) -> bool:
    try:
        return negotiate(accepted, (problems.MEDIA_TYPE, _HTML)) == _HTML
    except RequestProblem:
        return False


def _documents(settings: Settings, documents: Documents) -> APIRouter:
    """Builds the routes of the page itself, and of its part for a frame."""
    router, headers = APIRouter(), _headers(settings)
    embedders = tuple(settings.embedders)

    def answer(request: Request, *, embed: tuple[str, ...] | None) -> Response:
        spoken = documents.spoken(request)
        told = {"Content-Language": spoken, "Vary": "Accept-Language"} | headers | _REVALIDATED
        examples = json.dumps([each.model_dump() for each in _examples(settings)])
        return documents.render(spoken, examples, embed=embed).response(request, told)

    @router.get("/")
    def index(request: Request) -> Response:
        return answer(request, embed=embedders if "embed" in request.query_params else None)

    @router.get("/embed")
    def embedded(request: Request) -> Response:
        return answer(request, embed=embedders)

    return router


def _files(settings: Settings, files: Files, identity: Identity) -> APIRouter:
    """Builds the routes of files, which are not part of the API."""
    router, headers = APIRouter(), _headers(settings)
    worker = service_worker(files, without=identity.for_others)

    def of(name: str) -> dict[str, str]:
        is_svg = name.endswith(".svg")
        return headers | ({"Content-Security-Policy": _PICTURE_POLICY} if is_svg else {})

    @router.get("/robots.txt")
    def robots(request: Request) -> Response:
        return files["robots.txt"].response(request, headers | _REVALIDATED)

    @router.get("/favicon.ico")
    def icon(request: Request) -> Response:
        return files[identity.icon].response(request, of(identity.icon) | _REVALIDATED)

    @router.get("/service-worker.js")
    def script_of_service_worker(request: Request) -> Response:
        return worker.response(request, headers | _REVALIDATED)

    @router.get("/web/{path:path}")
    def file(path: str, request: Request) -> Response:
        version, _, name = path.partition("/")
        if version == files.version and name in files:
            return files[name].response(request, of(name) | _UNCHANGING)
        # A page of another version asks for its files while versions change.
        found = next((each for each in (path, name) if each in files), None)
        if found is None:
            raise HTTPException(404)
        return files[found].response(request, of(found) | _REVALIDATED)

    _add_examples(router, settings, headers)
    return router


def _add_examples(router: APIRouter, settings: Settings, headers: dict[str, str]) -> None:
    examples = StaticFiles(directory=settings.examples)

    def caching(path: Path, version: str) -> dict[str, str]:
        return headers | (_UNCHANGING if version == _version(path) else _REVALIDATED)

    @router.api_route("/examples/{path:path}", methods=["GET", "HEAD"])
    async def example(path: str, request: Request, v: str = "") -> Response:
        if not path.lower().endswith(_EXAMPLE_ENDINGS):
            raise HTTPException(404)
        answer = await examples.get_response(path, request.scope)
        answer.headers.update(caching(settings.examples / path, v))
        return answer

    @router.get("/thumbnails/{name}")
    def thumbnail(name: str, v: str = "") -> Response:
        # Compared with the listing instead of opened: the name may be too long for the file system.
        path = next((each for each in settings.examples.iterdir() if each.name == name), None)
        if path is None or not _is_example(path):
            raise HTTPException(404)
        return Response(_thumbnail(path), media_type="image/jpeg", headers=caching(path, v))


def _facts(settings: Settings) -> APIRouter:
    """Builds the API routes for the page."""
    router = APIRouter(tags=["service"])

    @router.get(
        "/v1/examples",
        summary="List example images",
        responses=openapi.answer("The example images") | openapi.problems(500, 503),
    )
    def list_examples() -> Examples:
        """Lists the example images: synthetic ones, unless the operator provides others."""
        return Examples(examples=_examples(settings))

    @router.get(
        "/v1/limits",
        summary="Get the limits",
        responses=openapi.answer("The limits") | openapi.problems(500, 503),
    )
    def get_limits() -> Limits:
        """Returns the maximum image size, the supported formats, and, if the service keeps
        analyses, for how long, and how large a job may be."""
        return _limits(settings)

    return router


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        max_webp_pixels=settings.limits.max_webp_pixels,
        max_images_per_batch=settings.max_images_per_batch,
        media_types=list(MEDIA_TYPES.values()),
        keeps=settings.keeps,
        retention_hours=settings.retention_hours if settings.keeps else None,
        max_job_images=settings.max_job_images if settings.keeps else None,
        max_job_bytes=settings.max_job_bytes if settings.keeps else None,
    )


def _examples(settings: Settings) -> list[Example]:
    paths = sorted(each for each in settings.examples.iterdir() if _is_example(each))
    synthetic = settings.examples.samefile(SHIPPED_EXAMPLES)
    return [_example(path, synthetic=synthetic) for path in paths]


@cache
def _thumbnail(path: Path) -> bytes:
    from chestxray.images import decode  # brings decoders that only this needs in the gateway

    image = decode(path.read_bytes())
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=80)
    return jpeg.getvalue()


def _is_example(path: Path) -> bool:
    return path.suffix.lower() in _EXAMPLE_ENDINGS and path.is_file()


def _example(path: Path, *, synthetic: bool) -> Example:
    address = f"{path.name}?v={_version(path)}"
    urls = {"url": f"examples/{address}", "thumbnail": f"thumbnails/{address}"}
    return Example(name=path.stem, synthetic=synthetic, **urls)


def _version(path: Path) -> str:
    """Changes when the file does."""
    status = path.stat()
    return hashlib.sha256(f"{status.st_mtime_ns} {status.st_size}".encode()).hexdigest()[:12]


def _headers(settings: Settings) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": settings.frame_ancestors,
        "require-trusted-types-for": "'script'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
    }
