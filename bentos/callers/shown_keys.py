"""An API key as the command and the routes show it, without anything made of its secret."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bentos.callers.api_keys import ApiKey
from bentos.callers.caller import Scope
from bentos.callers.key_rules import KeyState

Time = Annotated[datetime, AfterValidator(lambda time: time.replace(microsecond=0))]


class Key(BaseModel):
    """An API key, without its secret."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = Field(description="Who uses it")
    scopes: list[Scope] = Field(description="What its holder may do")
    state: KeyState
    requests_per_minute: int | None = Field(
        description="Images that its holder may send in a minute; null for the service's default"
    )
    retention_hours: int | None = Field(
        description="How long its analyses are kept; null for the service's default"
    )
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    previous_secret_until: Time | None = Field(
        description="When the secret before the last rotation ends; null if none is valid"
    )


def shown(key: ApiKey, *, now: datetime) -> Key:
    """Returns a key as it is shown."""
    is_rotating = key.previous_until is not None and now < key.previous_until
    return Key(
        id=key.id,
        name=key.name,
        scopes=sorted(key.scopes),
        state=key.state(now),
        requests_per_minute=key.requests_per_minute,
        retention_hours=key.retention_hours,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        previous_secret_until=key.previous_until if is_rotating else None,
    )
