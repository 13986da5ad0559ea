"""Every object is valid against its schema, and invalid ones are detected."""

import copy
import json
import re
from pathlib import Path

import pytest

from tests.k8s import crds, rendering, schemas
from tests.k8s.rendering import COMPONENTS, MIXES, Manifest

README = rendering.K8S / "README.md"
VERSIONS = (schemas.OLDEST, schemas.newest())


def objects(rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    """Each distinct object once; most are in many mixes."""
    unique = {
        json.dumps(each, sort_keys=True) for manifests in rendered.values() for each in manifests
    }
    return [json.loads(each) for each in sorted(unique)]


def test_every_component_is_in_a_mix() -> None:
    assert {name for mix in MIXES for name in mix} == set(COMPONENTS)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_against_its_schema(
    rendered: dict[str, list[Manifest]], version: str
) -> None:
    assert [line for each in objects(rendered) for line in schemas.problems(each, version)] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "path",
    [
        ("Deployment", "spec.minReadySecond"),
        ("Deployment", "spec.template.spec.containers.0.readinesProbe"),
        ("Deployment", "spec.template.spec.securityContext.runAsNonroot"),
        ("ScaledObject", "spec.cooldownSeconds"),
        ("ScaledObject", "spec.triggers.0.metaData"),
        ("HTTPRoute", "spec.rules.0.timeouts.requests"),
        ("Probe", "spec.prober.uri"),
        ("NetworkPolicy", "metadata.label"),
        ("ScaledObject", "metadata.label"),
    ],
    ids=lambda path: ".".join(path),
)
def test_misspelt_field_is_detected(
    rendered: dict[str, list[Manifest]], path: tuple[str, str], version: str
) -> None:
    kind, field = path
    misspelt = copy.deepcopy(rendering.of_kind(objects(rendered), kind)[0])
    *parents, last = field.split(".")
    parent = misspelt
    for key in parents:
        parent = parent[int(key) if key.isdigit() else key]
    parent[last] = {}

    (problem,) = schemas.problems(misspelt, version)

    assert f"'{last}' was unexpected" in problem


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("keda.sh/v1alpha1", "ScaledJob"), ("networking.k8s.oi/v1", "Ingress"), ("v1", "Pods")],
)
def test_kind_without_a_schema_is_detected(api_version: str, kind: str) -> None:
    unknown = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}}

    assert schemas.problems(unknown, schemas.newest())


def test_number_in_a_text_field_of_a_custom_resource_is_detected(
    rendered: dict[str, list[Manifest]],
) -> None:
    scaled = copy.deepcopy(rendering.find(rendered["serverless"], "ScaledObject", "classifier"))
    scaled["spec"]["triggers"][0]["metadata"]["threshold"] = 20

    assert schemas.problems(scaled, schemas.newest())


def test_fallback_that_keeps_more_replicas_is_known(rendered: dict[str, list[Manifest]]) -> None:
    scaled = copy.deepcopy(rendering.find(rendered["serverless"], "ScaledObject", "classifier"))
    fallback = scaled["spec"]["fallback"]

    fallback["behavior"] = "currentReplicasIfHigher"
    assert schemas.problems(scaled, schemas.newest()) == []
    fallback["behavior"] = "currentReplicasIfAny"
    assert schemas.problems(scaled, schemas.newest())


def test_every_schema_names_the_release_that_it_is_of() -> None:
    expected = {
        crds.path_of(package.api_version, kind): package.origin
        for package in crds.PACKAGES
        for kind in package.kinds
    }

    files = list(crds.SCHEMAS.glob("*.json"))

    assert {path: json.loads(path.read_text())["$comment"] for path in files} == expected


@pytest.mark.parametrize("package", crds.PACKAGES, ids=lambda package: package.release)
def test_readme_names_the_releases_of_the_schemas(package: crds.Package) -> None:
    major_and_minor = re.match(r"[\w -]+ \d+\.\d+", package.release)

    assert major_and_minor is not None
    assert major_and_minor[0] in " ".join(README.read_text().split())


@pytest.mark.parametrize("path", sorted(crds.SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_types_of_kubernetes_in_a_schema_exist(path: Path) -> None:
    names = re.findall(r'"/api/_definitions.json#/\$defs/([\w.]+)"', path.read_text())

    assert names
    assert [name for name in names if not schemas.is_defined(name)] == []
