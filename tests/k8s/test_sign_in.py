"""Gateways at which people sign in get the provider's address and Secret, and no other pod does."""

from pathlib import Path

import pytest

from bentos.settings_checks import variable_of
from tests.k8s import chart
from tests.k8s.chart import OF_SIGN_IN, ON, Values
from tests.k8s.rendering import Manifest, Mix, build, find, write_mix
from tests.k8s.test_chart_values import refusal
from tests.k8s.test_history import PLACES, SECRETS, gateway, rules, settings_of
from tools.preflight.manifests import Manifests

SIGNING_IN: Mix = (*PLACES, "sign-in")
CLIENT_SECRET = variable_of("oidc_client_secret")


@pytest.fixture
def known_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, CLIENT_SECRET, "a secret")


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    return build(write_mix(tmp_path_factory.mktemp("mix"), SIGNING_IN))


@pytest.mark.usefixtures("known_secret")
def test_settings_of_a_gateway_are_a_complete_sign_in(
    placed: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = gateway(placed)["containers"]
    settings = settings_of(container, placed, monkeypatch)

    assert settings.signs_in
    assert set(settings.oidc_roles) == {"chestxray-admin", "chestxray-user"}
    assert settings.oidc_client_secret.get_secret_value() == "a secret"


def test_policy_lets_gateways_alone_send_to_the_provider(
    placed: list[Manifest], tmp_path: Path
) -> None:
    without = list(rules(build(write_mix(tmp_path, PLACES))))
    added = list(rules(placed))
    for each in without:
        added.remove(each)

    assert added == [("gateway", 443)]


def test_secret_of_the_client_is_optional(placed: list[Manifest]) -> None:
    assert "chestxray-sign-in" not in {name for _, name in Manifests(placed).secrets}


@pytest.mark.usefixtures("known_secret")
def test_values_of_the_chart_become_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    own: Values = {
        "issuer": "https://sso.example",
        "rolesClaim": "",
        "withoutRole": True,
        "scopes": "profile",
        "port": 8443,
        "existingSecret": "own-client",
    }
    made = chart.template({"history": ON, "networkPolicies": ON, "signIn": ON | own})
    (container,) = gateway(made)["containers"]
    settings = settings_of(container, made, monkeypatch)

    assert (settings.oidc_issuer, settings.oidc_scopes) == ("https://sso.example", "profile")
    assert settings.oidc_without_role and not settings.oidc_roles
    assert ("gateway", 8443) in set(rules(made))
    (secret,) = (each for each in container["env"] if each["name"] == CLIENT_SECRET)
    assert secret["valueFrom"]["secretKeyRef"]["name"] == "own-client"


def test_changed_provider_rolls_the_gateways_of_a_release() -> None:
    sums = set()
    for client in ("one", "two"):
        made = chart.template({"history": ON, "signIn": ON | {"clientId": client}})
        pod = find(made, "Deployment", "gateway")["spec"]["template"]["metadata"]
        sums.add(pod["annotations"][OF_SIGN_IN])

    assert len(sums) == 2


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"signIn": ON}, "enable history"),
        ({"signIn": {"clientSecret": "secret"}}, "clientSecret"),
        ({"signIn": {"issuer": "http://login.example"}}, "issuer"),
        ({"settings": {"CHESTXRAY_OIDC_ISSUER": "https://login.example"}}, "signIn.issuer"),
    ],
)
def test_values_that_no_gateway_would_start_with_are_refused(values: Values, named: str) -> None:
    assert named in refusal("template", values)
