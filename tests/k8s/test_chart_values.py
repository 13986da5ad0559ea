"""Values of the Helm chart change what they name, and unknown ones are refused."""

import subprocess

import pytest
import yaml

from tests.k8s import chart, rendering
from tests.k8s.chart import CHART, CHECKSUM, ON, Values
from tests.k8s.rendering import find, of_kind

DIGEST = "sha256:" + "0" * 64


def test_changed_setting_rolls_gateways_and_classifiers() -> None:
    before, after = (
        of_kind(chart.template({"tier": ON, "settings": settings}), "Deployment")
        for settings in ({}, {"CHESTXRAY_LOG_FORMAT": "json"})
    )

    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        sums = [
            each["spec"]["template"]["metadata"]["annotations"][CHECKSUM] for each in (old, new)
        ]
        assert sums[0] != sums[1]


def test_setting_wins_over_the_default_and_over_what_a_proxy_needs() -> None:
    settings = {"CHESTXRAY_DRAIN_DELAY_SECONDS": "15", "CHESTXRAY_LOG_FORMAT": "json"}
    made = chart.template({"ingress": ON, "settings": settings})
    data = find(made, "ConfigMap", "settings")["data"]

    assert settings.items() <= data.items()
    assert "10.0.0.0/8" in data["CHESTXRAY_TRUSTED_PROXIES"]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "chestxray:0.1.0"),
        ({"repository": "registry.example.org/a", "tag": "2"}, "registry.example.org/a:2"),
        ({"tag": "2", "digest": DIGEST}, f"chestxray@{DIGEST}"),
    ],
)
def test_digest_wins_over_the_tag_of_an_image(image: Values, reference: str) -> None:
    gpu = {"enabled": True, "image": {"repository": "chestxray"} | image}
    load = {"enabled": True, "image": {"repository": "chestxray"} | image}
    made = chart.template({"image": image, "tier": {"enabled": True, "gpu": gpu}, "loadtest": load})

    images = [pod["containers"][0]["image"] for _, pod in rendering.pods(made)]
    assert images == [reference] * 4


def test_tier_asks_for_a_slice_of_a_gpu_by_its_name() -> None:
    gpu = {"enabled": True, "resource": "nvidia.com/mig-1g.10gb"}
    made = chart.template({"tier": {"enabled": True, "gpu": gpu}})
    (container,) = find(made, "Deployment", "classifier")["spec"]["template"]["spec"]["containers"]

    for kind in ("requests", "limits"):
        assert container["resources"][kind]["nvidia.com/mig-1g.10gb"] == 1
        assert "nvidia.com/gpu" not in container["resources"][kind]


def test_pods_read_the_token_from_the_secret_that_values_name() -> None:
    made = chart.template({"tier": ON, "podToken": {"existingSecret": "own"}})

    assert of_kind(made, "Secret") == []
    for _, pod in rendering.pods(made):
        (token,) = [e for e in pod["containers"][0]["env"] if e["name"] == "CHESTXRAY_POD_TOKEN"]
        assert token["valueFrom"]["secretKeyRef"] == {"name": "own", "key": "token"}


def test_every_host_has_both_listeners_and_the_routes_use_all() -> None:
    hosts = ["a.example.org", "b.example.org"]
    made = chart.template({"gatewayApi": {"enabled": True, "hosts": hosts}})
    listeners = find(made, "Gateway", "gateway")["spec"]["listeners"]
    routes = [each["spec"] for each in of_kind(made, "HTTPRoute")]

    assert [(each["hostname"], each["protocol"]) for each in listeners] == [
        (host, protocol) for host in hosts for protocol in ("HTTP", "HTTPS")
    ]
    used = [parent["sectionName"] for route in routes for parent in route["parentRefs"]]
    assert sorted(used) == sorted(each["name"] for each in listeners)
    assert all(route["hostnames"] == hosts for route in routes)


def test_second_release_leaves_the_priority_class_to_the_first() -> None:
    made = chart.template({"priority": {"enabled": True, "create": False}})

    assert of_kind(made, "PriorityClass") == []
    assert [pod["priorityClassName"] for _, pod in rendering.pods(made)] == ["chestxray-serving"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"gatway": {}}, "gatway"),
        ({"gateway": {"replica": 2}}, "replica"),
        ({"tier": {"autoscaling": {"keda": {"enable": True}}}}, "enable"),
        ({"image": {"digest": "sha256:0"}}, "digest"),
        ({"gateway": {"replicas": "two"}}, "replicas"),
        ({"tier": {"enabled": "yes"}}, "enabled"),
        ({"gateway": {"resources": {"limit": {}}}}, "limit"),
        ({"gatewayApi": {"hosts": []}}, "hosts"),
        ({"settings": {"CHESTXRAY_MAX_CONNECTIONS": 4096}}, "CHESTXRAY_MAX_CONNECTIONS"),
        ({"podToken": {"token": "secret"}}, "token"),
    ],
)
def test_misspelt_value_and_one_of_another_type_are_refused_by_name(
    values: Values, named: str
) -> None:
    for command in ("template", "lint"):
        assert named in refusal(command, values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"settings": {"CHESTXRAY_LOG_FROMAT": "json"}}, "CHESTXRAY_LOG_FROMAT"),
        ({"settings": {"CHESTXRAY_POD_TOKEN": "secret"}}, "CHESTXRAY_POD_TOKEN"),
        (chart.keda(scaleToZero=True, fallback=False), "fallback"),
    ],
)
def test_unknown_setting_and_zero_without_a_fallback_are_refused(
    values: Values, named: str
) -> None:
    assert named in refusal("template", values)


def refusal(command: str, values: Values) -> str:
    """Why helm makes nothing of these values."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        chart.run(command, CHART, values=values)
    return refused.value.__notes__[0]


def test_schema_describes_every_value() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    assert names_of(values, schema, schema) == []
    assert set(schema["properties"]) == set(values) | {"global"}


def names_of(values: Values, schema: Values, whole: Values) -> list[str]:
    """Values of which a schema says nothing, at any depth."""
    if reference := schema.get("$ref"):
        schema = whole["$defs"][reference.rpartition("/")[2]]
    known = schema.get("properties")
    if known is None:
        return []
    return [name for name in values if name not in known] + [
        inner
        for name, value in values.items()
        if isinstance(value, dict) and name in known
        for inner in names_of(value, known[name], whole)
    ]
