"""The chart's values for kept analyses change what they name."""

import pytest

from bentos.settings_checks import variable_of
from tests.k8s import chart
from tests.k8s.chart import CHECKSUM, OF_STORE, ON, Values
from tests.k8s.rendering import find
from tests.k8s.test_chart_values import refusal
from tests.k8s.test_history import DATABASE, gateway, rules, settings_of
from tools.preflight.manifests import Manifests


def test_migration_has_the_image_of_its_gateway_in_the_chart() -> None:
    made = chart.template({"history": ON, "image": {"repository": "own", "tag": "2"}})
    spec = gateway(made)

    assert [each["image"] for each in spec["initContainers"] + spec["containers"]] == ["own:2"] * 2


def test_chart_takes_the_names_of_secrets_and_the_ports_from_values() -> None:
    places: Values = {
        "existingSecret": "own-history",
        "database": {"existingSecret": "own-database", "port": 6432},
        "objectStore": {"existingSecret": "own-bucket", "port": 9000},
    }
    made = chart.template({"history": ON | {"trial": ON} | places, "networkPolicies": ON})

    assert {name for _, name in Manifests(made).secrets} == {
        "own-history",
        "own-database",
        "own-bucket",
    }
    assert {("gateway", 6432), ("gateway", 9000)} <= set(rules(made))
    assert ("gateway", DATABASE) not in set(rules(made))


def test_chart_uses_the_identity_of_the_service_account_without_a_secret_of_the_bucket() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/chestxray"}
    store: Values = {"existingSecret": "", "endpoint": "", "serviceAccountAnnotations": role}
    made = chart.template({"history": ON | {"objectStore": store}})
    (container,) = gateway(made)["containers"]

    assert find(made, "ServiceAccount", "gateway")["metadata"]["annotations"] == role
    assert not [each for each in container["env"] if each["name"].startswith("AWS_")]
    assert set(find(made, "ConfigMap", "object-store")["data"]) == {
        variable_of("object_store"),
        "AWS_REGION",
    }


def test_changed_bucket_rolls_the_gateways_of_a_release() -> None:
    sums = []
    for bucket in ("s3://one", "s3://two"):
        made = chart.template({"history": ON | {"objectStore": {"bucket": bucket}}})
        pod = find(made, "Deployment", "gateway")["spec"]["template"]["metadata"]
        assert CHECKSUM in pod["annotations"]
        sums.append(pod["annotations"][OF_STORE])

    assert sums[0] != sums[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"history": {"objectStore": {"bucket": "chestxray"}}}, "bucket"),
        ({"history": {"database": {"password": "secret"}}}, "password"),
        ({"settings": {"CHESTXRAY_OBJECT_STORE": "s3://chestxray"}}, "history.objectStore.bucket"),
        ({"settings": {"CHESTXRAY_ANONYMOUS": "False"}}, "history.anonymous"),
    ],
)
def test_secret_in_a_value_and_bucket_among_the_settings_are_refused(
    values: Values, named: str
) -> None:
    assert named in refusal("template", values)


@pytest.mark.parametrize("anonymous", [True, False])
def test_only_gateways_of_the_chart_refuse_callers_without_a_key(
    anonymous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = chart.template({"history": ON | {"anonymous": anonymous}, "dicom": ON})
    (container,) = gateway(made)["containers"]

    assert find(made, "ConfigMap", "settings")["data"][variable_of("anonymous")] == "True"
    assert settings_of(container, made, monkeypatch).anonymous is anonymous
