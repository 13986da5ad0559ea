"""What the routes of API keys take and answer."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from bentos.callers import key_rules
from bentos.callers.caller import Scope
from bentos.callers.shown_keys import Key
from bentos.history_settings import MAX_RETENTION_HOURS

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
