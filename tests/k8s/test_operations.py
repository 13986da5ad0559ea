"""What docs/operations.md and k8s/README.md tell an operator to write is what the cluster takes."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.k8s import rendering, schemas
from tests.k8s.rendering import K8S, Manifest, find

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
CANARY = OPERATIONS.partition("\n## Canary\n")[2].partition("\n## ")[0]


def blocks(text: str) -> list[Any]:
    return [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.S)]


def problems(manifest: Manifest) -> list[str]:
    return schemas.problems(manifest, schemas.newest())


def test_canary_gets_its_share_from_another_namespace_that_allows_it(tmp_path: Path) -> None:
    grant, patch = blocks(CANARY)
    production = os.path.relpath(K8S / "overlays" / "production", tmp_path)
    kustomization = {"resources": [production]} | patch
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    route = find(rendering.build(tmp_path), "HTTPRoute", "gateway")
    stable, canary = route["spec"]["rules"][0]["backendRefs"]

    assert problems(grant) == problems(route) == []
    assert stable["weight"] + canary["weight"] == 100
    assert canary["namespace"] == grant["metadata"]["namespace"]
    assert grant["spec"]["from"][0]["namespace"] == route["metadata"]["namespace"]
    assert {each["name"] for each in (stable, canary)} == {grant["spec"]["to"][0]["name"]}


def test_issuer_of_the_certificate_is_the_one_that_the_gateway_names() -> None:
    text = (K8S / "README.md").read_text()
    (block,) = re.findall(r"```\n(apiVersion: cert-manager.io.*?)```", text, re.S)
    issuer = yaml.safe_load(block)
    manifests = rendering.overlay("production")
    gateway = find(manifests, "Gateway", "gateway")["metadata"]
    (solver,) = issuer["spec"]["acme"]["solvers"]
    (parent,) = solver["http01"]["gatewayHTTPRoute"]["parentRefs"]

    assert problems(issuer) == []
    assert gateway["annotations"]["cert-manager.io/cluster-issuer"] == issuer["metadata"]["name"]
    assert (parent["name"], parent["namespace"]) == (gateway["name"], gateway["namespace"])
