"""Every object that a manifest refers to exists."""

import re

from tests.conftest import ROOT
from tests.k8s.rendering import ENGINES, K8S, Manifest, find, name_of, of_kind, pods
from tools.preflight.manifests import values

README = (K8S / "README.md").read_text()
Rendered = dict[str, list[Manifest]]
PLATFORM_PORTS = {53, 5353, 15012, 15020, 8080, 8086, 8090, 4191, 104, 2762, 443, 5432, 6379, 8443}
"""DNS, OpenShift's DNS, what sidecars of Istio and of Linkerd use, destinations of DICOM, the
database and the bucket of kept analyses, the store of quotas, receivers of webhooks."""


def names(manifests: list[Manifest], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in of_kind(manifests, kind)}


def test_referenced_config_maps_accounts_claims_and_priorities_exist(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for owner, pod in pods(manifests):
            for key in ("configMapRef", "configMapKeyRef", "configMap"):
                for reference in values(pod, key):
                    assert reference["name"] in names(manifests, "ConfigMap"), f"{mix}: {owner}"
            accounts = names(manifests, "ServiceAccount")
            assert pod["serviceAccountName"] in accounts, f"{mix}: {owner}"
            for claim in values(pod, "claimName"):
                assert claim in names(manifests, "PersistentVolumeClaim"), f"{mix}: {owner}"
            for priority in values(pod, "priorityClassName"):
                assert priority in names(manifests, "PriorityClass"), f"{mix}: {owner}"


def test_readme_has_a_command_that_creates_each_secret(rendered: Rendered) -> None:
    asked = set()
    for manifests in rendered.values():
        assert not of_kind(manifests, "Secret"), "a secret in the repository is none"
        asked |= {reference["name"] for reference in values(manifests, "secretKeyRef")}
        asked |= set(values(manifests, "secretName"))
        asked |= {each["name"] for refs in values(manifests, "certificateRefs") for each in refs}

    assert asked
    for name in asked:
        assert re.search(rf"create secret \w+ {name} ", README), name


def test_service_selects_pods_with_its_target_port(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for service in of_kind(manifests, "Service"):
            (template,) = [
                each["spec"]["template"]
                for each in of_kind(manifests, "Deployment", "StatefulSet", "Job")
                if service["spec"]["selector"].items()
                <= each["spec"]["template"]["metadata"]["labels"].items()
            ]
            ports = {port["name"] for each in values(template, "ports") for port in each}
            for port in service["spec"]["ports"]:
                assert port["targetPort"] in ports, f"{mix}: {name_of(service)}"


def test_routes_refer_to_a_port_of_a_service(rendered: Rendered) -> None:
    seen = 0
    for manifests in rendered.values():
        ports = {
            (service["metadata"]["name"], port[key])
            for service in of_kind(manifests, "Service")
            for port in service["spec"]["ports"]
            for key in ("name", "port")
        }
        for backend in values(of_kind(manifests, "Ingress"), "service"):
            assert (backend["name"], backend["port"]["name"]) in ports
            seen += 1
        for backends in values(of_kind(manifests, "HTTPRoute"), "backendRefs"):
            assert {(each["name"], each["port"]) for each in backends} <= ports
            seen += 1
    assert seen


def test_autoscaler_target_exists(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for target in values(manifests, "scaleTargetRef"):
            assert target["name"] in names(manifests, "Deployment"), mix


def test_classifier_address_of_the_gateways_is_the_full_name_of_a_service(
    rendered: Rendered,
) -> None:
    """With a dot at its end, so that no search domain is tried."""
    for mix, manifests in rendered.items():
        if mix in ENGINES:  # without a Deployment of ours, and without a tier
            continue
        spec = find(manifests, "Deployment", "gateway")["spec"]["template"]["spec"]
        variables = [each["name"] for each in spec["containers"][0]["env"]]
        asked = [
            each["value"]
            for each in spec["containers"][0]["env"]
            if each["name"] == "CHESTXRAY_CLASSIFIER_PODS"
        ]
        wanted = []
        if "classifier" in names(manifests, "Deployment"):
            (port,) = find(manifests, "Service", "classifier")["spec"]["ports"]
            wanted = [f"classifier.$(NAMESPACE).svc.cluster.local.:{port['port']}"]
            # Kubernetes expands only what is defined further up.
            assert variables.index("NAMESPACE") < variables.index("CHESTXRAY_CLASSIFIER_PODS")
        assert asked == wanted, mix


def test_routes_belong_to_a_listener_of_a_gateway(rendered: Rendered) -> None:
    for mix in ("production", "base+gateway-api"):
        gateway = find(rendered[mix], "Gateway", "gateway")
        listeners = {
            (gateway["metadata"]["name"], each["name"]) for each in gateway["spec"]["listeners"]
        }
        routes = of_kind(rendered[mix], "HTTPRoute")
        found = {
            (each["name"], each["sectionName"])
            for parents in values(routes, "parentRefs")
            for each in parents
        }
        assert found == listeners == {("gateway", "http"), ("gateway", "https")}, mix


def test_network_policies_select_existing_pods_and_ports(rendered: Rendered) -> None:
    everything = [each for manifests in rendered.values() for each in manifests]
    workloads = of_kind(everything, "Deployment", "StatefulSet", "Job")
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in workloads]
    ports = {port["name"] for each in values(workloads, "ports") for port in each} | PLATFORM_PORTS

    for policy in of_kind(everything, "NetworkPolicy"):
        for selector in values(policy, "podSelector"):
            wanted = selector.get("matchLabels", {}).items()
            assert any(wanted <= each.items() for each in labels), name_of(policy)
        for each in values(policy["spec"], "ports"):
            assert {port["port"] for port in each} <= ports, name_of(policy)


def test_ingress_and_egress_are_denied_by_default(rendered: Rendered) -> None:
    for mix in ("production", "serverless", "base+network-policies"):
        denial = find(rendered[mix], "NetworkPolicy", "default-deny")["spec"]
        assert denial == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_readme_lists_every_component_and_overlay() -> None:
    for folder in ("components", "overlays"):
        for path in (K8S / folder).iterdir():
            assert f"`{path.name}`" in README, path.name


def test_files_and_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z0-9-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (K8S / path).exists(), path
