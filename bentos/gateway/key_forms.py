"""What the routes of API keys take and answer, and how a body of JSON is read."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Request
from multipart import parse_options_header
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from bentos.callers import key_rules
from bentos.callers.caller import Scope
from bentos.callers.shown_keys import Key
from bentos.gateway.uploads import bounded, check_encoding
from bentos.history_settings import MAX_RETENTION_HOURS
from bentos.http.negotiation import JSON
from bentos.http.problems import RequestProblem

_MAX_BYTES = 8 * 1024
"""Of a body: several times the longest name."""
_MAX_PAGE = 100
_MAX_IMAGES = key_rules.MAX_IMAGES_PER_MINUTE


class NewKey(BaseModel):
    """An API key to be made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(key_rules.checked_name)] = Field(
        min_length=1, max_length=key_rules.MAX_NAME, description="Who uses it, for the list"
    )
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=len(Scope),
        description="What its holder may do; only what the caller may do as well",
    )
    requests_per_minute: Annotated[int, Field(ge=1, le=_MAX_IMAGES)] | None = Field(
        None, description="Images that its holder may send in a minute, if not the default"
    )
    retention_hours: Annotated[int, Field(ge=1, le=MAX_RETENTION_HOURS)] | None = Field(
        None, description="How long its analyses are kept, if not for the default"
    )
    expires_days: Annotated[int, Field(ge=1, le=key_rules.MAX_DAYS)] | None = Field(
        None, description="After how many days it expires; without: never"
    )

    @property
    def lifetime(self) -> timedelta | None:
        """How long the key is valid; None for ever."""
        return timedelta(days=self.expires_days) if self.expires_days else None


class IssuedKey(Key):
    """An API key with its secret, which nothing can tell again."""

    key: str = Field(description="What its holder sends as Authorization: Bearer; shown only now")


class Keys(BaseModel):
    """Some of the API keys, newest first."""

    keys: list[Key]
    next: str | None = Field(description="Cursor of the next page; null after the last")


class KeysPage(BaseModel):
    """Query parameters of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=_MAX_PAGE, description="Most keys in the response")
    ended: bool = Field(False, description="Whether to list revoked and expired keys, too")
    cursor: Annotated[str, Field(pattern=key_rules.IDENTIFIER)] | SkipJsonSchema[None] = Field(
        None, description="`next` of the page before; the first page without it"
    )


class Rotation(BaseModel):
    """Query parameters of a rotation."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(
        key_rules.OVERLAP_HOURS,
        ge=0,
        le=key_rules.MAX_OVERLAP_HOURS,
        description="How long the secret before stays valid",
    )


class Revocation(BaseModel):
    """Query parameters of a revocation."""

    model_config = ConfigDict(extra="forbid")

    last: bool = Field(
        False, description="Whether to revoke the key even if it is the last with the scope admin"
    )


def issued(key: Key, text: str) -> IssuedKey:
    """Returns a key with its secret."""
    return IssuedKey(**vars(key), key=text)


async def read_new_key(request: Request, *, pause: float) -> NewKey:
    """Reads the key to be made from a body. Raises RequestProblem."""
    check_encoding(request)
    media_type, _ = parse_options_header(request.headers.get("content-type", ""))
    if media_type != JSON:
        raise RequestProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f"the Content-Type is not {JSON}; send the key to be made as JSON",
            headers={"Accept": JSON},
        )
    body = bytearray()
    async for chunk in bounded(request, max_bytes=_MAX_BYTES, pause=pause, count=lambda size: None):
        body += chunk
    try:
        return NewKey.model_validate_json(bytes(body))
    except ValidationError as error:
        raise RequestProblem(
            HTTPStatus.BAD_REQUEST, "invalid-parameter", _described(error)
        ) from error


def _described(error: ValidationError) -> str:
    """Says what is wrong, without what was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "the body has an unknown member; /docs lists the known ones"
    member = first["loc"][0] if first["loc"] else ""
    where = f"member {member} of the body" if member else "the body"
    return f"{where}: {first['msg'].lower()}"
