"""The manifests fit clusters of either address family, OpenShift, service meshes and arm64."""

import json
import re
from ipaddress import ip_network

import pytest
import yaml

from bentos.http.client_address import is_trusted
from bentos.process.sockets import EVERY_ADDRESS
from tests.conftest import ROOT
from tests.k8s import rendering
from tests.k8s.rendering import EVERYTHING, OVERLAYS, Manifest, find, name_of_mix, of_kind, pods

Rendered = dict[str, list[Manifest]]
FULL = name_of_mix(EVERYTHING)
DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
DOCUMENTED = (rendering.K8S / "README.md").read_text()


def test_services_listen_at_every_address(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for deployment in of_kind(manifests, "Deployment", "StatefulSet"):
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            if container["image"].startswith(("postgres:", "valkey/valkey:")):
                continue
            args = container["args"]
            assert args[1:3] == ["--host", EVERY_ADDRESS], mix


def test_image_listens_at_every_address_by_default() -> None:
    command = (ROOT / "Dockerfile").read_text().splitlines()[-1].removeprefix("CMD ")

    assert json.loads(command) == ["serve", "--host", EVERY_ADDRESS]


def test_gateway_has_addresses_of_both_families_and_a_pod_of_the_tier_one(
    rendered: Rendered,
) -> None:
    for manifests in rendered.values():
        for service in of_kind(manifests, "Service"):
            match service["metadata"]["name"]:
                case "gateway":
                    assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
                case "classifier":
                    assert service["spec"]["ipFamilyPolicy"] == "SingleStack"


@pytest.mark.parametrize("mix", ["base+ingress", "base+gateway-api", "production"])
@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.244.1.7", True),
        ("172.17.0.3", True),
        ("192.168.77.1", True),
        ("100.64.3.4", True),
        ("fd00:10:244::7", True),
        ("::ffff:10.244.1.7", True),
        ("172.32.0.1", False),
        ("198.51.100.7", False),
        ("2001:db8::1", False),
    ],
)
def test_proxies_at_private_addresses_are_trusted(
    rendered: Rendered, mix: str, address: str, trusted: bool
) -> None:
    settings = find(rendered[mix], "ConfigMap", "settings")["data"]
    networks = [ip_network(each) for each in json.loads(settings["CHESTXRAY_TRUSTED_PROXIES"])]

    assert is_trusted(address, networks) is trusted


def test_every_policy_allows_dns_wherever_it_runs(rendered: Rendered) -> None:
    manifests = rendered["base+classifier+" + "+".join(rendering.OTHERS)]
    for name in ("dns", "loadtest"):
        assert {"ports": DNS} in find(manifests, "NetworkPolicy", name)["spec"]["egress"]


def test_openshift_can_resolve_names(rendered: Rendered) -> None:
    for name in ("dns", "loadtest"):
        rule = find(rendered[FULL], "NetworkPolicy", name)["spec"]["egress"][-1]
        (peer,) = rule["to"]
        namespace = peer["namespaceSelector"]["matchLabels"]
        assert namespace == {"kubernetes.io/metadata.name": "openshift-dns"}
        assert {(each["protocol"], each["port"]) for each in rule["ports"]} == {
            ("UDP", 5353),
            ("TCP", 5353),
        }


def test_components_for_platforms_add_no_policy_that_denies_all_else(rendered: Rendered) -> None:
    for mix in ("base+openshift", "base+mesh"):
        assert of_kind(rendered[mix], "NetworkPolicy") == []


def test_openshift_uses_its_own_gateway_class(rendered: Rendered) -> None:
    gateway = find(rendered[FULL], "Gateway", "gateway")

    assert gateway["spec"]["gatewayClassName"] == "openshift-default"


def test_sidecars_reach_their_control_planes(rendered: Rendered) -> None:
    denial = find(rendered[FULL], "NetworkPolicy", "default-deny")["spec"]
    allowed = {
        rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: {
            each["port"] for each in rule["ports"]
        }
        for rule in denial["egress"]
    }

    assert allowed == {"istio-system": {15012}, "linkerd": {8080, 8086, 8090}}


def test_sidecars_outlive_the_drain_and_end_with_a_job(rendered: Rendered) -> None:
    delay = find(rendered[FULL], "ConfigMap", "settings")["data"]["CHESTXRAY_DRAIN_DELAY_SECONDS"]
    for workload in of_kind(rendered[FULL], "Deployment", "StatefulSet", "Job"):
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        istio = yaml.safe_load(annotations["proxy.istio.io/config"])
        assert annotations["sidecar.istio.io/nativeSidecar"] == "true"
        assert annotations["config.beta.linkerd.io/proxy-enable-native-sidecar"] == "true"
        assert istio["holdApplicationUntilProxyStarts"] is True
        assert istio["proxyMetadata"]["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] == "true"
        shortest = istio["proxyMetadata"]["MINIMUM_DRAIN_DURATION"]
        assert float(shortest.removesuffix("s")) > float(delay)


@pytest.mark.parametrize("name", [*OVERLAYS, "everything"])
def test_pods_run_on_the_architectures_that_the_documented_build_makes(
    rendered: Rendered, name: str
) -> None:
    platforms = re.search(r"buildx build --platform (\S+)", DOCUMENTED)
    assert platforms
    for owner, pod in pods(rendered[FULL if name == "everything" else name]):
        needed = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ((rule,),) = (each["matchExpressions"] for each in needed["nodeSelectorTerms"])
        assert (rule["key"], rule["operator"]) == ("kubernetes.io/arch", "In"), owner
        assert [f"linux/{each}" for each in rule["values"]] == platforms[1].split(","), owner


def test_load_generators_still_avoid_the_gateways(rendered: Rendered) -> None:
    workers = find(rendered[FULL], "Job", "loadtest-workers")["spec"]["template"]["spec"]

    assert set(workers["affinity"]) == {"nodeAffinity", "podAntiAffinity"}


def test_production_has_a_gateway_with_a_certificate_and_no_ingress(rendered: Rendered) -> None:
    gateway = find(rendered["production"], "Gateway", "gateway")
    https = next(each for each in gateway["spec"]["listeners"] if each["protocol"] == "HTTPS")

    assert of_kind(rendered["production"], "Ingress") == []
    assert "cert-manager.io/cluster-issuer" in gateway["metadata"]["annotations"]
    assert https["tls"] == {"mode": "Terminate", "certificateRefs": [{"name": "gateway-tls"}]}


def test_plain_http_is_only_redirected(rendered: Rendered) -> None:
    route = find(rendered["production"], "HTTPRoute", "redirect")["spec"]

    assert [each["sectionName"] for each in route["parentRefs"]] == ["http"]
    (rule,) = route["rules"]
    assert set(rule) == {"filters"}
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}


def test_gateway_and_ingress_name_the_same_host_and_certificate(rendered: Rendered) -> None:
    ingress = find(rendered["base+ingress"], "Ingress", "gateway")
    gateway = find(rendered["base+gateway-api"], "Gateway", "gateway")
    routes = of_kind(rendered["base+gateway-api"], "HTTPRoute")
    (tls,) = ingress["spec"]["tls"]

    assert {each["hostname"] for each in gateway["spec"]["listeners"]} == set(tls["hosts"])
    assert all(each["spec"]["hostnames"] == tls["hosts"] for each in routes)
    assert gateway["spec"]["listeners"][1]["tls"]["certificateRefs"] == [
        {"name": tls["secretName"]}
    ]


def test_ingress_needs_no_particular_controller(rendered: Rendered) -> None:
    assert "ingressClassName" not in find(rendered["base+ingress"], "Ingress", "gateway")["spec"]
