"""What an API key may be: one place for the command and the routes; cheap to import."""

import re
from collections.abc import Collection
from enum import StrEnum

from bentos.callers.caller import Scope

MAX_NAME = 120
"""Characters."""
MAX_IMAGES_PER_MINUTE = 1_000_000
MAX_DAYS = 3660
MAX_OVERLAP_HOURS = MAX_DAYS * 24
OVERLAP_HOURS = 24
"""How long the secret before a rotation stays valid, unless another time is given."""
IDENTIFIER = r"^[0-9a-f]{16}$"


class KeyState(StrEnum):
    """Whether a key opens anything."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


def checked_name(text: str) -> str:
    """Returns the name of a key without spaces around it. Raises ValueError."""
    if not (text.strip() and text.isprintable() and len(text) <= MAX_NAME):
        raise ValueError(f"must have 1 to {MAX_NAME} printable characters")
    return text.strip()


def is_identifier(text: str) -> bool:
    """Whether a text can be the identifier of a key."""
    return bool(re.fullmatch(IDENTIFIER, text))


def beyond(scopes: Collection[Scope], giver: Collection[Scope]) -> list[Scope]:
    """Returns the scopes that a giver does not have, and so cannot give."""
    return sorted(set(scopes) - set(giver))
