"""A sign-in that is set by half, or by which nobody or everybody could come in, stops the start."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from bentos.callers.caller import Scope
from bentos.settings import Settings, explain

COMPLETE: dict[str, Any] = {
    "data_folder": "data",
    "oidc_issuer": "https://login.example/realm",
    "oidc_client_id": "chestxray",
    "public_url": "https://portal.example/xray/",
    "oidc_roles_claim": "realm_access.roles",
    "oidc_roles": {"it": ["admin"]},
}


def test_complete_sign_in_is_accepted() -> None:
    settings = Settings(**COMPLETE)

    assert settings.signs_in
    assert settings.public_url == "https://portal.example/xray"
    assert settings.oidc_roles == {"it": (Scope.ADMIN,)}
    assert not Settings().signs_in


def test_roles_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_OIDC_ROLES", '{"it": ["admin", "history"], "none": []}')

    roles = Settings(**{k: v for k, v in COMPLETE.items() if k != "oidc_roles"}).oidc_roles

    assert roles == {"it": (Scope.ADMIN, Scope.HISTORY), "none": ()}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oidc_client_id": ""}, "CHESTXRAY_OIDC_CLIENT_ID"),
        ({"public_url": ""}, "CHESTXRAY_PUBLIC_URL"),
        ({"oidc_issuer": ""}, "CHESTXRAY_OIDC_ISSUER"),
        ({"oidc_issuer": "http://login.example"}, "CHESTXRAY_OIDC_ISSUER.*https"),
        ({"oidc_issuer": "http://127.0.0.1.example"}, "CHESTXRAY_OIDC_ISSUER.*https"),
        ({"oidc_issuer": "https://login.example?a=b"}, "CHESTXRAY_OIDC_ISSUER.*https"),
        ({"public_url": "https://user@portal.example"}, "CHESTXRAY_PUBLIC_URL.*https"),
        ({"public_url": "https://portal.example:99999"}, "CHESTXRAY_PUBLIC_URL.*port"),
        ({"oidc_roles": {}}, "CHESTXRAY_OIDC_ROLES_CLAIM and CHESTXRAY_OIDC_ROLES"),
        ({"oidc_roles": {}, "oidc_roles_claim": ""}, "nobody could sign in"),
        ({"oidc_roles": {"it": ["everything"]}}, "CHESTXRAY_OIDC_ROLES"),
        ({"data_folder": ""}, "CHESTXRAY_OIDC_ISSUER needs a place"),
        ({"oidc_session_hours": 1000}, "CHESTXRAY_OIDC_SESSION_HOURS"),
        ({"oidc_scopes": "a\nb"}, "CHESTXRAY_OIDC_SCOPES"),
    ],
)
def test_fault_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**(COMPLETE | changes))

    assert re.search(named, "\n".join(explain(raised.value)), re.DOTALL)


def test_roles_that_are_no_json_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_OIDC_ROLES", "it=admin")

    with pytest.raises(ValidationError) as raised:
        Settings()

    (line,) = explain(raised.value)
    assert line.startswith("CHESTXRAY_OIDC_ROLES=") and "must be an object as JSON" in line
