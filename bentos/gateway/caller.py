"""The route that tells a caller what it may do, and whether people can sign in."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from bentos.callers.caller import Scope
from bentos.gateway import openapi
from bentos.gateway.keeping import Keeping

Kind = Literal["key", "person", "visitor", "none"]


class CallerFacts(BaseModel):
    """Who sent the request, without a name."""

    kind: Kind = Field(
        description="key: an API key; person: signed in; visitor: the cookie of one who had "
        "something kept; none: nothing of these"
    )
    scopes: list[Scope] = Field(
        description="What it may do; empty where a key or a sign-in is needed"
    )
    sign_in: bool = Field(description="Whether people can sign in, at sign-in")
    signed_in_until: datetime | None = Field(description="When the session of a person ends")


def create_router(keeping: Keeping, *, is_offered: bool) -> APIRouter:
    """Builds the route; `is_offered` says whether people can sign in."""
    router = APIRouter(tags=["service"])

    @router.get(
        "/v1/caller",
        summary="Get what the caller may do",
        responses=openapi.answer("The caller") | openapi.problems(401, 500, 503),
    )
    async def get_caller(request: Request) -> CallerFacts:
        """Returns how the service knows the caller, and what it may do. A key that is not valid
        is a 401; no key is none."""
        known = await keeping.known(request)
        return CallerFacts(
            kind=known.caller.kind.value,
            scopes=sorted(known.caller.scopes),
            sign_in=is_offered,
            signed_in_until=known.until,
        )

    return router
