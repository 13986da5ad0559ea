"""The web page, its files and example images, with a strict Content-Security-Policy."""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from bentos.gateway import openapi
from bentos.settings import SHIPPED_EXAMPLES, WEB, Settings
from chestxray.containers import MEDIA_TYPES
from chestxray.results import Example, Examples, Limits

_EXAMPLE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
"""Formats that browsers can display too."""
_THUMBNAIL_SIDE = 192  # pixels; twice the displayed size, for high-density screens


def create_router(settings: Settings) -> APIRouter:
    """Builds the page's routes."""
    router = APIRouter()
    router.include_router(_files(settings), include_in_schema=False)
    router.include_router(_facts(settings))
    return router


def _files(settings: Settings) -> APIRouter:
    """Builds the routes of files, which are not part of the API."""
    router = APIRouter()
    files, examples = StaticFiles(directory=WEB), StaticFiles(directory=settings.examples)
    headers = _headers(settings)

    async def send(static: StaticFiles, path: str, request: Request) -> Response:
        answer = await static.get_response(path, request.scope)
        answer.headers.update(headers)
        return answer

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return await send(files, "index.html", request)

    @router.get("/web/locales/index.json")
    def locales() -> list[dict[str, str]]:
        return _LANGUAGES

    @router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
    async def file(path: str, request: Request) -> Response:
        return await send(files, path, request)

    @router.api_route("/examples/{path:path}", methods=["GET", "HEAD"])
    async def example(path: str, request: Request) -> Response:
        if not path.lower().endswith(_EXAMPLE_ENDINGS):
            raise HTTPException(404)
        return await send(examples, path, request)

    @router.get("/thumbnails/{name}")
    def thumbnail(name: str) -> Response:
        # Compared with the listing instead of opened: the name may be too long for the file system.
        path = next((each for each in settings.examples.iterdir() if each.name == name), None)
        if path is None or not _is_example(path):
            raise HTTPException(404)
        return Response(_thumbnail(path), media_type="image/jpeg", headers=headers)

    return router


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
        names = sorted(p.name for p in settings.examples.iterdir() if _is_example(p))
        synthetic = settings.examples.samefile(SHIPPED_EXAMPLES)
        return Examples(examples=[_example(name, synthetic=synthetic) for name in names])

    @router.get(
        "/v1/limits",
        summary="Get the limits",
        responses=openapi.answer("The limits") | openapi.problems(500, 503),
    )
    def get_limits() -> Limits:
        """Returns the maximum image size, the supported formats, and, if the service keeps
        analyses, for how long, and how large a job may be."""
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

    return router


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


def _example(name: str, *, synthetic: bool) -> Example:
    urls = {"url": f"examples/{name}", "thumbnail": f"thumbnails/{name}"}
    return Example(name=Path(name).stem, synthetic=synthetic, **urls)


def _languages() -> list[dict[str, str]]:
    """Lists the available locales; adding a file adds a language."""
    found: list[dict[str, Any]] = [
        json.loads(path.read_text()) for path in sorted((WEB / "locales").glob("*.json"))
    ]
    return [{"code": each["language.code"], "name": each["language.name"]} for each in found]


_LANGUAGES = _languages()


def _headers(settings: Settings) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": settings.frame_ancestors,
        "require-trusted-types-for": "'script'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",  # revalidate, so that a new version appears at once
    }
