"""A portal's folder is mounted into gateways, and is the one that the service reads."""

import base64
import copy
import os
from pathlib import Path

import pytest
import yaml

from bentos.portal import folder
from bentos.settings_checks import variable_of
from tests import portal
from tests.k8s import chart
from tests.k8s.chart import ON
from tests.k8s.rendering import K8S, Manifest, build, find, write_mix
from tests.k8s.test_history import gateway

Rendered = dict[str, list[Manifest]]
FOLDER = variable_of("portal_folder")


def mounted(manifests: list[Manifest], place: Path) -> Path:
    """Writes what the kubelet puts into the gateway's volume."""
    (volume,) = [each for each in gateway(manifests)["volumes"] if each["name"] == "portal"]
    for source in volume["projected"]["sources"]:
        named = source["configMap"]
        held = find(manifests, "ConfigMap", named["name"])
        data = {key: text.encode() for key, text in held["data"].items()}
        data |= {key: base64.b64decode(each) for key, each in held.get("binaryData", {}).items()}
        items = named.get("items") or [{"key": key, "path": key} for key in data]
        for each in items:
            if each["key"] in data:
                (place / each["path"]).parent.mkdir(parents=True, exist_ok=True)
                (place / each["path"]).write_bytes(data[each["key"]])
            else:
                assert named["optional"]
    return place


def test_mounted_folder_is_the_example(rendered: Rendered, tmp_path: Path) -> None:
    manifests = rendered["base+portal"]
    (container,) = gateway(manifests)["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "portal"]
    (variable,) = [each for each in container["env"] if each["name"] == FOLDER]

    assert variable["value"] == mount["mountPath"]
    assert mount["readOnly"]
    assert folder.read(str(mounted(manifests, tmp_path))) == folder.read(str(portal.EXAMPLE))


def test_other_pods_have_no_folder(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for each in manifests:
            if each["kind"] == "Deployment" and each["metadata"]["name"] != "gateway":
                assert FOLDER not in str(each), mix


def test_component_of_an_operator_replaces_the_folder(tmp_path: Path) -> None:
    """As docs/portal.md says."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "portal.toml").write_text('name = "Another"\n')
    generated = {"name": "portal", "behavior": "replace", "files": ["portal.toml"]}
    (own / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1alpha1",
                "kind": "Component",
                "configMapGenerator": [generated],
            }
        )
    )
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    path = write_mix(overlay, ("portal",)) / "kustomization.yaml"
    written = yaml.safe_load(path.read_text())
    written["components"].append(os.path.relpath(own, overlay))
    path.write_text(yaml.safe_dump(written))

    read = folder.read(str(mounted(build(overlay), tmp_path / "mounted")))

    assert read and read.declaration.name == "Another"
    assert not read.statements


@pytest.mark.parametrize("values", [ON, ON | {"existingConfigMap": "ours"}])
def test_chart_mounts_the_config_map_of_its_values(
    rendered: Rendered, values: chart.Values
) -> None:
    name = values.get("existingConfigMap", "portal")
    made = gateway(chart.template({"portal": values, "architectures": []}))
    ours = copy.deepcopy(gateway(rendered["base+portal"]))
    for owner in (made, ours):
        (volume,) = [each for each in owner["volumes"] if each["name"] == "portal"]
        named = [each["configMap"] for each in volume["projected"]["sources"]]
        assert {each["name"] for each in named} == {name} or owner is ours
        for each in named:
            del each["name"]

    assert made["volumes"] == ours["volumes"]
    for key in ("env", "volumeMounts"):
        found, expected = (
            {each["name"]: each for each in owner["containers"][0][key]} for owner in (made, ours)
        )
        assert found == expected


def test_commands_of_the_document_name_what_there_is() -> None:
    document = (K8S.parent / "docs" / "portal.md").read_text()

    assert "k8s/components/portal/example" in document
    assert "behavior: replace" in document
