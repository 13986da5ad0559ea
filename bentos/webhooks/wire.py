"""What the routes of webhooks take and answer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bentos.webhooks.addresses import MAX_URL


class NewWebhook(BaseModel):
    """A webhook to be made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        min_length=1,
        max_length=MAX_URL,
        description="Where to POST to: https, port 443 or 8443, a public address",
    )


class Webhook(BaseModel):
    """A URL of the caller's to which the ends of its jobs are sent."""

    model_config = ConfigDict(frozen=True)

    id: str
    url: str
    events: list[Literal["job.finished"]]
    created_at: datetime
    failing_since: datetime | None = Field(
        description="First failure after the last success; null if the last attempt succeeded"
    )
    disabled: Literal["gone", "failing"] | None = Field(
        description="Why nothing is sent any more: it answered 410, or took nothing for five days"
    )
    previous_secret_until: datetime | None = Field(
        description="Until when deliveries are also signed with the secret before the rotation"
    )


class IssuedWebhook(Webhook):
    """A webhook with its secret, which nothing can tell again."""

    secret: str = Field(description="Verifies the signatures of deliveries; shown only now")


class Webhooks(BaseModel):
    """The caller's webhooks, oldest first."""

    model_config = ConfigDict(frozen=True)

    webhooks: list[Webhook]


class WebhookDelivery(BaseModel):
    """What became of one message."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Its webhook-id")
    state: Literal["waiting", "delivered", "given_up"]
    created_at: datetime
    attempts: int
    attempted_at: datetime | None = Field(description="When the last attempt began")
    last_status: int | None = Field(description="What the receiver answered at the last attempt")
    last_error: (
        Literal["refused-address", "unreachable", "tls", "timeout", "protocol", "status", "secret"]
        | None
    ) = Field(description="Why the last attempt failed")


class WebhookDeliveries(BaseModel):
    """The newest messages to a webhook, newest first."""

    model_config = ConfigDict(frozen=True)

    deliveries: list[WebhookDelivery]
