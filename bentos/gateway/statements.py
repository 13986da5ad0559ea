"""Privacy, terms and accessibility: documents in the visitor's language."""

from functools import cache

from fastapi import APIRouter, Request, Response

from bentos.page.content import Content
from bentos.page.documents import Documents
from bentos.portal import statements
from bentos.portal.folder import PAGES, Portal
from bentos.settings import Settings


def create_router(
    documents: Documents, portal: Portal | None, settings: Settings, headers: dict[str, str]
) -> APIRouter:
    """Builds a route for each statement."""
    router = APIRouter()

    @cache
    def rendered(page: str, spoken: str) -> Content:
        found, written = statements.statement(
            page, documents.dictionary(spoken), portal=portal, settings=settings
        )
        return documents.article(
            spoken, found.title, found.html, path=page, written=documents.code(written)
        )

    def add(page: str) -> None:
        @router.get(f"/{page}")
        def show(request: Request) -> Response:
            spoken = documents.spoken(request)
            told = {"Content-Language": spoken, "Vary": "Accept-Language"} | headers
            return rendered(page, spoken).response(request, told)

    for each in PAGES:
        add(each)
    return router
