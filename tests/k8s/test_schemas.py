"""Every object is valid against its schema, and invalid ones are detected."""

import copy
import json

import pytest

from tests.k8s import rendering, schemas
from tests.k8s.rendering import COMPONENTS, MIXES, Manifest

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
