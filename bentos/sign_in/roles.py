"""What a person may do, from the roles that the provider tells."""

from collections.abc import Mapping
from typing import Any

from bentos.callers.caller import VISITOR_SCOPES, Scope
from bentos.sign_in.errors import SignInRefused
from bentos.sign_in_settings import SignInSettings


def find(claims: Mapping[str, Any], path: str) -> Any:
    """Returns what is at a path with dots, or None; a claim whose own name has dots, as an address
    has, comes first."""
    found: Any = claims
    if path in claims:
        return claims[path]
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def scopes_of(roles: Any, settings: SignInSettings) -> frozenset[Scope]:
    """Returns what somebody with these roles may do, if anything. Raises SignInRefused."""
    given = [roles] if isinstance(roles, str) else roles
    names = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    granted = {scope for name in names for scope in settings.oidc_roles.get(name, ())}
    if granted:
        return frozenset(granted)
    if settings.oidc_without_role:
        return VISITOR_SCOPES
    raise SignInRefused("the person has none of the roles that are known here")
