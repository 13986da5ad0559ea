"""The preflight names what a cluster lacks; the cluster is a fake kubectl on PATH."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tools.kubectl import kubectl
from tools.preflight.__main__ import main
from tools.preflight.checks import CHECKS
from tools.preflight.cluster import Cluster
from tools.preflight.manifests import ISSUER

FAKE = """#!/bin/sh
# Its answers are files in folders that are named as the paths of the API, and as its verbs.
case "$1" in get) name="$3" ;; *) name="/verbs/$1" ;; esac
cat "{answers}$name/answer" 2>/dev/null && exit
[ -e "{answers}$name/forbidden" ] && echo "Error from server (Forbidden): no" >&2 && exit 1
[ "$1" = get ] && echo "Error from server (NotFound): $name" >&2 || echo "error: $1" >&2
exit 1
"""

POD: dict[str, Any] = {
    "nodeSelector": {"nvidia.com/gpu.present": "true"},
    "containers": [
        {
            "env": [
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "pod-token", "key": "t"}}},
                {"name": "PODS", "value": "classifier.$(NAMESPACE).svc.cluster.local.:3001"},
            ],
            "resources": {"limits": {"cpu": "2", "nvidia.com/gpu": 1}},
        }
    ],
}
MANIFESTS: list[dict[str, Any]] = [
    {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": POD}}},
    {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {}},
    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {}},
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "spec": {"metrics": [{"type": "Pods"}]},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [{"tls": {"certificateRefs": [{"name": "gateway-tls"}]}}],
        },
    },
    {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {}},
]
for _each in MANIFESTS:
    _each["metadata"] = {"name": "one", "namespace": "chestxray"}

NODE = {
    "metadata": {"name": "n1", "labels": {"nvidia.com/gpu.present": "true"}},
    "status": {"allocatable": {"nvidia.com/gpu": "1"}},
}
ADAPTER = {
    "spec": {"group": "custom.metrics.k8s.io"},
    "status": {"conditions": [{"type": "Available", "status": "True"}]},
}
SECRET = "/api/v1/namespaces/chestxray/secrets/pod-token"
CERTIFICATE = "/api/v1/namespaces/chestxray/secrets/gateway-tls"
KEDA = "/apis/keda.sh/v1alpha1"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
INGRESSES = "/apis/networking.k8s.io/v1/ingressclasses"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/gatewayclasses/eg"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
FORBIDDEN = "forbidden"
NODES, CONFIG = "/api/v1/nodes", "/api/v1/nodes/n1/proxy/configz"
NAMESPACE = "/api/v1/namespaces/chestxray"


def default(kind: str) -> dict[str, Any]:
    annotations = {f"{kind}.kubernetes.io/is-default-class": "true"}
    return {"items": [{"metadata": {"name": "one", "annotations": annotations}}]}


def complete() -> dict[str, Any]:
    """What kubectl answers of a cluster that lacks nothing."""
    answers: dict[str, Any] = {
        "kustomize": "the manifests as YAML",
        "patch": "\n".join(json.dumps(each) for each in MANIFESTS),
        "version": json.dumps({"kustomizeVersion": "v5.5.0"}),
        "apply": "created (server dry run)",
        "/version": {"minor": "31+", "gitVersion": "v1.31.2"},
        SECRET: {"kind": "Secret", "data": {"t": "c2VjcmV0"}},
        CERTIFICATE: {"kind": "Secret"},
        NAMESPACE: {"kind": "Namespace"},
        STORAGE: default("storageclass"),
        INGRESSES: default("ingressclass"),
        GATEWAYS: {"kind": "GatewayClass"},
        SERVICES: {"items": [ADAPTER]},
        NODES: {"items": [NODE]},
        CONFIG: {"kubeletconfig": {"clusterDomain": "cluster.local"}},
    }
    for each in MANIFESTS:
        version = each["apiVersion"]
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        answers.setdefault(path, {"resources": []})["resources"].append({"kind": each["kind"]})
    return answers


Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def preflight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs it against a cluster that gives these answers; returns exit code and lines."""
    program = tmp_path / "kubectl"
    program.write_text(FAKE.format(answers=tmp_path / "answers"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("KUBECTL", raising=False)

    def run(answers: dict[str, Any], *flags: str) -> tuple[int, list[str]]:
        for name, answer in answers.items():
            verb = "" if name.startswith("/") else "/verbs/"
            folder = Path(f"{tmp_path}/answers{verb}{name}")
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / ("forbidden" if answer == FORBIDDEN else "answer")
            file.write_text(answer if isinstance(answer, str) else json.dumps(answer))
        monkeypatch.setattr(sys, "argv", ["preflight", "overlay", *flags])
        return main(), capsys.readouterr().out.splitlines()

    return run


def test_cluster_with_everything_passes(preflight: Run) -> None:
    code, lines = preflight(complete())

    assert [line for line in lines if line.startswith("missing")] == []
    assert (code, lines[-1]) == (0, "nothing is missing")
    assert "ok       kind ScaledObject of keda.sh/v1alpha1" in lines


def test_enforcement_of_network_policies_is_said_to_be_unknown(preflight: Run) -> None:
    (line,) = [each for each in preflight(complete())[1] if each.startswith("unknown")]

    assert "enforcement of network policies" in line


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({KEDA: None}, "missing  kind ScaledObject of keda.sh/v1alpha1: install KEDA"),
        ({SECRET: None}, "missing  Secret pod-token in chestxray: kubectl create namespace"),
        (
            {SECRET: {"kind": "Secret", "data": {"other": "c2VjcmV0"}}},
            "missing  key t of Secret pod-token in chestxray: make it anew",
        ),
        ({CERTIFICATE: None}, "missing  certificate gateway-tls in chestxray: "),
        ({GATEWAYS: None}, "missing  GatewayClass eg: patch"),
        ({INGRESSES: {"items": []}}, "missing  default IngressClass: "),
        ({STORAGE: {"items": []}}, "missing  default StorageClass: "),
        ({NODES: {"items": []}}, "missing  node with nvidia.com/gpu and nvidia.com/gpu.present"),
        ({SERVICES: {"items": []}}, "missing  metrics API custom.metrics.k8s.io: install"),
        (
            {SERVICES: {"items": [ADAPTER | {"status": {}}]}},
            "missing  metrics API custom.metrics.k8s.io: its adapter does not answer",
        ),
        ({"/version": {"minor": "26", "gitVersion": "v1.26.0"}}, "missing  Kubernetes v1.26.0: "),
        (
            {"version": json.dumps({"kustomizeVersion": "v4.5.7"})},
            "missing  kubectl with kustomize v4.5.7: ",
        ),
        (
            {CONFIG: {"kubeletconfig": {"clusterDomain": "corp.example"}}},
            "missing  cluster domain cluster.local: the cluster's domain is corp.example",
        ),
        ({"apply": None}, "missing  admission of every object: error: apply"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    preflight: Run, changes: dict[str, Any], expected: str
) -> None:
    answers = {key: value for key, value in (complete() | changes).items() if value is not None}

    code, lines = preflight(answers)

    assert code == 1
    (line,) = [each for each in lines if each.startswith("missing")]
    assert line.startswith(expected)
    assert lines[-1] == "1 missing"


def test_new_namespace_is_no_fault_but_nothing_is_tried_in_it(preflight: Run) -> None:
    answers = complete()
    del answers[NAMESPACE], answers["apply"]

    code, lines = preflight(answers)

    assert code == 0
    assert any(line.startswith("unknown  admission: namespace chestxray") for line in lines)


@pytest.mark.parametrize("path", [SECRET, NODES, CONFIG])
def test_what_this_user_may_not_read_is_unknown(preflight: Run, path: str) -> None:
    code, lines = preflight(complete() | {path: FORBIDDEN})

    assert code == 0
    assert any(each.startswith("unknown") and f"may not read {path}" in each for each in lines)


def test_check_can_be_left_out(preflight: Run) -> None:
    code, lines = preflight(complete() | {NODES: {"items": []}}, "--without", "gpu")

    assert code == 0
    assert not any("nvidia.com" in line for line in lines)


def test_certificate_that_cert_manager_makes_needs_only_its_issuer(preflight: Run) -> None:
    gateway = next(each for each in MANIFESTS if each["kind"] == "Gateway")
    metadata = gateway["metadata"] | {"annotations": {ISSUER: "letsencrypt"}}
    answers = complete() | {"patch": json.dumps(gateway | {"metadata": metadata})}
    del answers[CERTIFICATE]

    code, lines = preflight(answers)

    assert code == 1
    (line,) = [each for each in lines if each.startswith("missing")]
    assert line.startswith("missing  ClusterIssuer letsencrypt: install cert-manager")


@pytest.mark.parametrize(("namespace", "code"), [("chestxray", 0), ("staging", 1)])
def test_autoscaler_that_counts_another_namespace_is_named(
    preflight: Run, namespace: str, code: int
) -> None:
    """As in an overlay over an overlay, whose query kustomize does not change."""
    query = 'sum(chestxray_admission_limit{namespace="chestxray"})'
    scaled = next(each for each in MANIFESTS if each["kind"] == "ScaledObject")
    metadata = scaled["metadata"] | {"namespace": namespace}
    spec = scaled.get("spec", {}) | {"triggers": [{"metadata": {"query": query}}]}
    answers = complete() | {"patch": json.dumps(scaled | {"metadata": metadata, "spec": spec})}

    found, lines = preflight(answers)

    (line,) = [each for each in lines if "query of ScaledObject" in each]
    assert f"for the namespace {namespace}" in line
    assert line.startswith("missing") == bool(code)
    assert found == code


@pytest.mark.parametrize("verb", ["kustomize", "patch", "/version"])
def test_folder_or_cluster_that_cannot_be_read_is_one_line(preflight: Run, verb: str) -> None:
    answers = complete()
    del answers[verb]
    if verb == "/version":
        answers["/version"] = FORBIDDEN

    code, lines = preflight(answers)

    assert code == 1
    assert lines[0].startswith("missing  a cluster and manifests: ")


def test_kubectl_turns_manifests_into_objects_without_a_cluster() -> None:
    objects = Cluster((str(kubectl()),)).render(ROOT / "k8s" / "overlays" / "serverless")

    kinds = {each["kind"] for each in objects}
    assert {"Deployment", "ScaledObject", "NetworkPolicy", "ConfigMap"} <= kinds


def test_deployment_starts_with_the_preflight() -> None:
    printed = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "--dry-run",
            "deploy",
            "OVERLAY=production",
            "PREFLIGHT=--without gpu",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert "tools.preflight k8s/overlays/production --without gpu" in printed[0]
    assert "apply -k k8s/overlays/production" in printed[1]


def test_readme_names_every_check_that_can_be_left_out() -> None:
    readme = (ROOT / "k8s" / "README.md").read_text()

    assert all(f"`{name}`" in readme for name in CHECKS)
