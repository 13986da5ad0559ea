"""The Helm chart makes what kustomize makes."""

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.k8s import chart, rendering, schemas
from tests.k8s.chart import CHART, EXAMPLES, ON, Values
from tests.k8s.rendering import ENGINES, OVERLAYS, Manifest, Mix, find

README = (rendering.K8S / "README.md").read_text()
EXAMPLE_NAMES = sorted(path.stem for path in EXAMPLES.iterdir())
LAST = ("architectures", "openshift")
COMBINATIONS: list[tuple[Mix, Values]] = [
    ((), {"architectures": []}),
    (("architectures",), {}),
    (("ingress",), {"architectures": [], "ingress": ON}),
    (("classifier", "autoscaling-keda", "architectures"), chart.keda()),
    (
        ("classifier", "autoscaling-keda", "keda-before-2.17", "priority"),
        {"architectures": [], "priority": ON} | chart.keda(fallback=False),
    ),
    (("loadtest", "architectures"), {"loadtest": ON}),
    (("dicom", "priority"), {"architectures": [], "dicom": ON, "priority": ON}),
    (("postgres", "object-store"), {"architectures": [], "history": ON}),
    (("redis", "audit"), {"architectures": [], "quotas": ON, "audit": ON}),
    (
        ("network-policies", "postgres", "object-store", "sign-in"),
        {"architectures": [], "history": ON, "networkPolicies": ON, "signIn": ON},
    ),
    (
        (
            "classifier",
            "network-policies",
            "postgres",
            "object-store",
            "postgres-trial",
            "redis",
            "redis-trial",
            "audit",
            "webhooks",
            *LAST,
        ),
        {
            "openshift": True,
            "tier": ON,
            "networkPolicies": ON,
            "history": ON | {"trial": ON},
            "webhooks": ON,
            "quotas": ON | {"trial": ON},
            "audit": ON,
        },
    ),
    (
        (
            "classifier",
            "dicom",
            "network-policies",
            "gateway-api",
            "loadtest",
            "architectures",
            "openshift",
        ),
        {
            "openshift": True,
            "tier": ON,
            "dicom": ON,
            "networkPolicies": ON,
            "gatewayApi": ON,
            "loadtest": ON,
        },
    ),
]
"""Components, and the values that mean the same."""


def overlay_of(mix: Mix, folder: Path) -> list[Manifest]:
    """What an overlay of these components makes, with the labels of ours and a tag."""
    path = rendering.write_mix(folder, mix) / "kustomization.yaml"
    ours = yaml.safe_load((rendering.K8S / "overlays/local/kustomization.yaml").read_text())
    names = ["chestxray", "chestxray-loadtest"]
    changes = {key: ours[key] for key in ("namespace", "labels")}
    changes["images"] = [{"name": name, "newTag": "0.1.0"} for name in names]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return rendering.build(folder)


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_chart_makes_the_objects_of_the_overlay(name: str) -> None:
    made = chart.as_in_both(chart.template(chart.example(name)))

    assert made == chart.as_in_both(rendering.overlay(name))


@pytest.mark.parametrize(
    ("mix", "values"), COMBINATIONS, ids=[rendering.name_of_mix(mix) for mix, _ in COMBINATIONS]
)
def test_chart_makes_the_objects_of_the_components(
    mix: Mix, values: Values, tmp_path: Path
) -> None:
    made = chart.as_in_both(chart.template(values))

    assert made == chart.as_in_both(overlay_of(mix, tmp_path))


@pytest.mark.parametrize(
    "values",
    [
        *[values for _, values in COMBINATIONS],
        *[chart.example(path.stem) for path in sorted(EXAMPLES.iterdir())],
        chart.keda(scaleToZero=True),
        {"ingress": ON | {"hosts": ["a.example.org", "b.example.org"], "className": "traefik"}},
        {"gatewayApi": ON | {"hosts": ["a.example.org", "b.example.org"], "issuer": ""}},
    ],
)
def test_every_object_is_valid_against_its_schema(values: Values) -> None:
    made = chart.template(values)

    for version in (schemas.OLDEST, schemas.newest()):
        assert [line for each in made for line in schemas.problems(each, version)] == []


def test_every_object_has_the_labels_of_a_release() -> None:
    for each in chart.template(chart.example("production")):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"] == "chestxray-0.1.0"


def test_every_object_is_in_the_namespace_of_the_release() -> None:
    for name in EXAMPLE_NAMES:
        made = chart.template(chart.example(name) | {"loadtest": ON}, namespace="elsewhere")
        found = {
            each["metadata"].get("namespace") for each in made if each["kind"] != "PriorityClass"
        }
        assert found == {"elsewhere"}


def test_query_of_the_autoscaler_names_the_namespace_of_the_release() -> None:
    scaled = find(
        chart.template(chart.example("serverless"), namespace="elsewhere"),
        "ScaledObject",
        "classifier",
    )
    queries = [each["metadata"]["query"] for each in scaled["spec"]["triggers"]]

    assert len(queries) == 2
    for query in queries:
        assert query.count('namespace="elsewhere"') == 1
        assert "chestxray" not in query.split('namespace="')[1]


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_linter_has_no_complaint(name: str) -> None:
    chart.run("lint", "--strict", CHART, values=chart.example(name))


def test_packaged_chart_makes_the_same_objects_as_its_folder(tmp_path: Path) -> None:
    chart.run("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.iterdir()

    packaged = chart.template(chart.example("production"), chart=package)
    assert packaged == chart.template(chart.example("production"))


def test_every_overlay_without_an_engine_has_an_example() -> None:
    assert set(EXAMPLE_NAMES) == set(OVERLAYS) - set(ENGINES)


def test_chart_has_the_version_of_the_project() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert f'version = "{described["appVersion"]}"' in (ROOT / "pyproject.toml").read_text()


def test_options_of_the_commands_in_the_readme_exist() -> None:
    commands = re.findall(r"^helm (\w+)((?:.*\\\n)*.*)$", README, re.M)

    assert {name for name, _ in commands} >= {"upgrade", "history", "rollback", "uninstall"}
    for name, rest in commands:
        options = set(re.findall(r"--[\w-]+", rest))
        assert options <= set(re.findall(r"--[\w-]+", chart.run(name, "--help"))), name


def test_values_and_files_that_the_readme_sets_exist() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    named = re.findall(r"--set (?:\\\n\s*)?([\w.]+)=", README)

    assert named
    for name in named:
        found = values
        for key in name.split("."):
            found = found[key]
    for path in re.findall(r"--values (\S+)", README):
        assert (ROOT / path).exists(), path
