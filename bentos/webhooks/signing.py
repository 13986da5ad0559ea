"""Secrets of webhooks, and the signatures of what is delivered."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

_PREFIX = "whsec_"
_SECRET_BYTES = 32
"""The convention asks for 24 to 64."""


def new_secret() -> str:
    """Returns a random secret."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(
    identifier: str, body: str, signing_secrets: Sequence[str], *, now: datetime
) -> dict[str, str]:
    """Returns the headers of a delivery, with a signature by each secret."""
    signatures = [Webhook(each).sign(identifier, now, body) for each in signing_secrets]
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
