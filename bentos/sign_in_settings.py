"""The settings of the sign-in of people, by OpenID Connect."""

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bentos.callers.caller import Scope
from bentos.settings_checks import variable_of

_SECURE = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9_.~/-]*)?")
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(/[A-Za-z0-9_.~/-]*)?")
_MAX_HOURS = 7 * 24


class SignInSettings(BaseModel):
    """Every setting of the sign-in."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    oidc_issuer: str = ""
    """Issuer of the OpenID Connect provider at which people sign in, https://login.example/realm,
    exactly as its discovery document spells it. Needs `public_url`, `oidc_client_id` and a place
    for kept analyses. Empty: nobody signs in."""
    oidc_client_id: str = ""
    """Name under which the provider knows this service."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Secret of that client. Empty: a public client, with PKCE alone."""
    oidc_scopes: str = Field(default="", pattern=r"^([\w.:/-]+( [\w.:/-]+)*)?$")
    """What is asked of the provider besides `openid`, separated by spaces; some put roles into
    the ID token only for a scope of their own."""
    oidc_roles_claim: str = Field(default="", pattern=r"^[^\s]*$")
    """Claim that has a person's roles, a path with dots: realm_access.roles or groups. It is read
    from the ID token, or else from the provider's userinfo. Empty: roles do not matter."""
    oidc_roles: dict[str, tuple[Scope, ...]] = {}
    """What each role may do, as JSON: {"radiologists": ["analyse", "history"], "it": ["admin"]}.
    Scopes are analyse, history, annotate and admin; several roles add up."""
    oidc_without_role: bool = False
    """Whether somebody without any of these roles may do what visitors may, as at a national login,
    which has no roles of ours. Otherwise the sign-in is refused."""
    oidc_session_hours: int = Field(default=8, ge=1, le=_MAX_HOURS)
    """How long a person stays signed in; what the provider changes meanwhile counts after that."""
    public_url: str = ""
    """Address of this service as browsers see it, with its path prefix:
    https://portal.example/xray. The provider sends people back to it, at /sign-in/callback."""

    @field_validator("oidc_issuer", "public_url")
    @classmethod
    def _is_secure(cls, address: str) -> str:
        if address and not (_SECURE.fullmatch(address) or _LOOPBACK.fullmatch(address)):
            raise ValueError("must be https://host, or http:// on the loopback interface for tests")
        if not 0 <= (_port_of(address) or 0) < 2**16:
            raise ValueError("a port is between 1 and 65535")
        return address

    @field_validator("public_url")
    @classmethod
    def _has_no_slash_at_its_end(cls, address: str) -> str:
        return address.rstrip("/")

    @model_validator(mode="after")
    def _sign_in_is_complete(self) -> Self:
        issuer = variable_of("oidc_issuer")
        if not self.oidc_issuer:
            if self.oidc_client_id or self.oidc_client_secret.get_secret_value():
                raise ValueError(f"the client of a sign-in needs {issuer}")
            return self
        if missing := [
            each for each in ("oidc_client_id", "public_url") if not getattr(self, each)
        ]:
            raise ValueError(f"{issuer} needs {' and '.join(map(variable_of, missing))}")
        if bool(self.oidc_roles_claim) != bool(self.oidc_roles):
            both = f"{variable_of('oidc_roles_claim')} and {variable_of('oidc_roles')}"
            raise ValueError(f"{both} need each other")
        if not self.oidc_roles and not self.oidc_without_role:
            either = f"{variable_of('oidc_roles')}, or {variable_of('oidc_without_role')}=true"
            raise ValueError(f"nobody could sign in: {issuer} needs {either}")
        return self

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in."""
        return bool(self.oidc_issuer)


def _port_of(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return -1
