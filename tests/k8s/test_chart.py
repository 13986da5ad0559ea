"""The Helm chart makes what kustomize makes, and refuses values that it does not know."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.k8s import chart, rendering, schemas
from tests.k8s.chart import CHART, CHECKSUM, EXAMPLES, Values
from tests.k8s.rendering import OVERLAYS, Manifest, Mix, find, of_kind

DIGEST = "sha256:" + "0" * 64
TIER: Values = {"enabled": True}
KEDA: Values = {"enabled": True, "autoscaling": {"keda": {"enabled": True}}}
OLD_KEDA: Values = {"enabled": True, "autoscaling": {"keda": {"enabled": True, "fallback": False}}}
ON: Values = {"enabled": True}
COMBINATIONS: list[tuple[Mix, Values]] = [
    ((), {"architectures": []}),
    (("architectures",), {}),
    (("ingress",), {"architectures": [], "ingress": ON}),
    (("classifier", "autoscaling-keda", "architectures"), {"tier": KEDA}),
    (
        ("classifier", "autoscaling-keda", "keda-before-2.17", "priority"),
        {"architectures": [], "tier": OLD_KEDA, "priority": ON},
    ),
    (("loadtest", "architectures"), {"loadtest": ON}),
    (
        (
            "classifier",
            "network-policies",
            "gateway-api",
            "loadtest",
            "architectures",
            "openshift",
        ),
        {
            "openshift": True,
            "tier": TIER,
            "networkPolicies": ON,
            "gatewayApi": ON,
            "loadtest": ON,
        },
    ),
]
"""Components, and the values that mean the same."""
MIXES = pytest.mark.parametrize(
    ("mix", "values"), COMBINATIONS, ids=[rendering.name_of_mix(mix) for mix, _ in COMBINATIONS]
)


def overlay_of(mix: Mix, folder: Path) -> list[Manifest]:
    """What an overlay of these components makes, with the labels of ours and a tag."""
    path = rendering.write_mix(folder, mix) / "kustomization.yaml"
    ours = yaml.safe_load((rendering.K8S / "overlays/local/kustomization.yaml").read_text())
    names = ["chestxray", "chestxray-loadtest"]
    changes = {key: ours[key] for key in ("namespace", "labels")}
    changes["images"] = [{"name": name, "newTag": "0.1.0"} for name in names]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return rendering.build(folder)


def keda(**changes: Any) -> Values:
    """Values of a tier that KEDA scales."""
    return {"tier": {"enabled": True, "autoscaling": {"keda": {"enabled": True} | changes}}}


@pytest.mark.parametrize("name", OVERLAYS)
def test_chart_makes_the_objects_of_the_overlay(name: str) -> None:
    made = chart.as_in_both(chart.template(chart.example(name)))

    assert made == chart.as_in_both(rendering.overlay(name))


@MIXES
def test_chart_makes_the_objects_of_the_components(
    mix: Mix, values: Values, tmp_path: Path
) -> None:
    made = chart.as_in_both(chart.template(values))

    assert made == chart.as_in_both(overlay_of(mix, tmp_path))


@pytest.mark.parametrize("version", [schemas.OLDEST, schemas.newest()])
@pytest.mark.parametrize(
    "values",
    [
        *[values for _, values in COMBINATIONS],
        *[chart.example(path.stem) for path in sorted(EXAMPLES.iterdir())],
        keda(scaleToZero=True),
        {"ingress": ON | {"hosts": ["a.example.org", "b.example.org"], "className": "traefik"}},
        {"gatewayApi": ON | {"hosts": ["a.example.org", "b.example.org"], "issuer": ""}},
    ],
)
def test_every_object_is_valid_against_its_schema(values: Values, version: str) -> None:
    made = chart.template(values)

    assert [line for each in made for line in schemas.problems(each, version)] == []


def test_every_object_has_the_labels_of_a_release() -> None:
    for each in chart.template(chart.example("production")):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"] == "chestxray-0.1.0"


def test_every_object_is_in_the_namespace_of_the_release() -> None:
    for name in OVERLAYS:
        made = chart.template(chart.example(name) | {"loadtest": ON}, namespace="elsewhere")
        found = {each["metadata"].get("namespace") for each in made if each["kind"] != "PriorityClass"}
        assert found == {"elsewhere"}


def test_query_of_the_autoscaler_names_the_namespace_of_the_release() -> None:
    scaled = find(
        chart.template(chart.example("serverless"), namespace="elsewhere"),
        "ScaledObject",
        "classifier",
    )
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]

    assert query.count('namespace="elsewhere"') == 1
    assert "chestxray" not in query.split('namespace="')[1]


def test_changed_setting_rolls_gateways_and_classifiers() -> None:
    before, after = (
        of_kind(chart.template({"tier": TIER, "settings": settings}), "Deployment")
        for settings in ({}, {"CHESTXRAY_LOG_FORMAT": "json"})
    )

    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        sums = [each["spec"]["template"]["metadata"]["annotations"][CHECKSUM] for each in (old, new)]
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
    made = chart.template(
        {"image": image, "tier": {"enabled": True, "gpu": gpu}, "loadtest": load}
    )

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
    made = chart.template({"tier": TIER, "podToken": {"existingSecret": "own"}})

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
        ({"settings": {"CHESTXRAY_LOG_FROMAT": "json"}}, "CHESTXRAY_LOG_FROMAT"),
        ({"settings": {"CHESTXRAY_POD_TOKEN": "secret"}}, "CHESTXRAY_POD_TOKEN"),
        ({"podToken": {"token": "secret"}}, "token"),
        (keda(scaleToZero=True, fallback=False), "fallback"),
    ],
)
@pytest.mark.parametrize("command", [("template", CHART), ("lint", "--strict", CHART)])
def test_value_that_is_unknown_or_wrong_is_refused_by_name(
    values: Values, named: str, command: tuple[str | Path, ...]
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        chart.run(*command, values=values)

    assert named in refused.value.__notes__[0]


@pytest.mark.parametrize("name", OVERLAYS)
def test_linter_has_no_complaint(name: str) -> None:
    chart.run("lint", "--strict", CHART, values=chart.example(name))


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


def test_packaged_chart_makes_the_same_objects_as_its_folder(tmp_path: Path) -> None:
    chart.run("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.iterdir()

    packaged = chart.template(chart.example("production"), chart=package)
    assert packaged == chart.template(chart.example("production"))


def test_every_overlay_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == set(OVERLAYS)


def test_chart_has_the_version_of_the_project() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert f'version = "{described["appVersion"]}"' in (ROOT / "pyproject.toml").read_text()
