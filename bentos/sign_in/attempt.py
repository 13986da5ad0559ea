"""What a browser remembers between leaving for the provider and coming back: a signed cookie."""

import hashlib
import hmac
import re
import secrets
from dataclasses import astuple, dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "chestxray_sign_in"
SECONDS = 600
"""How long a person may take at the provider."""
_RETURN = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")
"""A path of our own: printable ASCII without a backslash, which browsers take for a slash."""


@dataclass(frozen=True)
class Attempt:
    """One sign-in that has begun."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE (RFC 7636)."""
    place: str
    """Where to go afterwards, within this service."""

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer with this state is to this attempt, in constant time."""
        return hmac.compare_digest(self.state.encode(), state.encode())


class Attempts:
    """Signs and verifies the cookies."""

    def __init__(self, secret: str, *, issuer: str) -> None:
        self._serializer = URLSafeTimedSerializer(
            secret,
            salt=f"{COOKIE} {issuer}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self, place: str) -> tuple[Attempt, str]:
        """Returns a new attempt, and its cookie."""
        attempt = Attempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            place=place if _RETURN.fullmatch(place) else "/",
        )
        return attempt, str(self._serializer.dumps(astuple(attempt)))

    def recognise(self, cookie: str) -> Attempt | None:
        """Returns the attempt of a cookie; None if we have not signed it, or it is too old."""
        try:
            return Attempt(*self._serializer.loads(cookie, max_age=SECONDS))
        except (BadData, TypeError):
            return None
