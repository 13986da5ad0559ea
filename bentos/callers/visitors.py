"""The cookie of a visitor who has kept an analysis: a random name, signed."""

import hashlib
import os
import secrets
from pathlib import Path

from itsdangerous import BadSignature, Signer

from bentos.callers.caller import VISITOR_OWNER, VISITOR_SCOPES, Caller

COOKIE = "chestxray_visitor"
SECRET_FILE = "cookie.secret"
"""In the data folder."""
_NAME_BYTES = 16


class Visitors:
    """Signs and verifies cookies."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(
            secret, salt=COOKIE, key_derivation="hmac", digest_method=hashlib.sha256
        )

    def recognise(self, cookie: str) -> Caller | None:
        """Returns the visitor of a cookie; None if we have not signed it."""
        try:
            name = self._signer.unsign(cookie).decode("ascii")
        except (BadSignature, UnicodeError):
            return None
        return Caller(f"{VISITOR_OWNER}{name}", VISITOR_SCOPES)

    def introduce(self) -> tuple[Caller, str]:
        """Returns a new visitor and its cookie."""
        cookie = self._signer.sign(secrets.token_hex(_NAME_BYTES)).decode("ascii")
        caller = self.recognise(cookie)
        assert caller
        return caller, cookie


def secret_in(folder: Path) -> str:
    """Returns the secret in a folder, made at the first call. Raises OSError."""
    file = folder / SECRET_FILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = secrets.token_urlsafe(32)
    new = folder / f"{SECRET_FILE}.{os.getpid()}"
    new.touch(mode=0o600)
    new.write_text(made)
    try:
        os.link(new, file)  # fails where another process was first; never a half-written file
    except FileExistsError:
        return file.read_text()
    finally:
        new.unlink()
    return made
