"""The DICOM node's pod is alone with its queue, and ends within its grace period."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import yaml

from bentos.settings import Settings
from bentos.settings_checks import variable_of
from tests.k8s import chart
from tests.k8s.chart import ON
from tests.k8s.rendering import K8S, Manifest, build, find, of_kind, write_mix
from tests.k8s.test_policy import MARGIN_SECONDS, STOP_SECONDS

Rendered = dict[str, list[Manifest]]
ALONE = "base+dicom"


def nodes(rendered: Rendered) -> Iterator[tuple[Manifest, Manifest]]:
    """The node of every mix that has one, and the settings."""
    for manifests in rendered.values():
        for each in of_kind(manifests, "StatefulSet"):
            if each["metadata"]["name"] != "dicom":
                continue
            yield each["spec"], find(manifests, "ConfigMap", "settings")["data"]


def container(rendered: Rendered) -> Manifest:
    spec = find(rendered[ALONE], "StatefulSet", "dicom")["spec"]
    (found,) = spec["template"]["spec"]["containers"]
    return dict(found)


def test_one_pod_has_the_queue(rendered: Rendered) -> None:
    found = list(nodes(rendered))

    assert found
    for spec, _ in found:
        assert spec["replicas"] == 1
        (claim,) = spec["volumeClaimTemplates"]
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_claim_is_larger_than_the_queue_may_grow(rendered: Rendered) -> None:
    for spec, settings in nodes(rendered):
        (claim,) = spec["volumeClaimTemplates"]
        size = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * 2**30
        assert size > int(settings["CHESTXRAY_DICOM_MAX_QUEUE_BYTES"])


def test_queue_is_on_the_claim(rendered: Rendered) -> None:
    found = container(rendered)
    (queue,) = [e["value"] for e in found["env"] if e["name"] == variable_of("dicom_queue")]
    (mounted,) = [each["mountPath"] for each in found["volumeMounts"] if each["name"] == "queue"]

    assert queue.startswith(f"{mounted}/")


def test_grace_period_exceeds_the_drain_timeout(rendered: Rendered) -> None:
    for spec, settings in nodes(rendered):
        drain = float(settings["CHESTXRAY_DRAIN_TIMEOUT_SECONDS"])
        grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace >= drain + STOP_SECONDS + MARGIN_SECONDS


def test_ports_are_those_of_the_command_and_probed_by_name(rendered: Rendered) -> None:
    found = container(rendered)
    ports = {each["name"]: str(each["containerPort"]) for each in found["ports"]}

    assert found["args"][-4:] == ["--port", ports["dicom"], "--metrics-port", ports["http"]]
    for probe in ("startupProbe", "readinessProbe"):
        assert found[probe]["tcpSocket"]["port"] == "dicom"
    assert found["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": "http"}


def test_gateways_have_no_queue_of_the_node(rendered: Rendered) -> None:
    """They would begin to store by STOW-RS on a read-only disk, and not start."""
    for _, settings in nodes(rendered):
        assert settings["CHESTXRAY_DICOM_QUEUE"] == ""


def test_settings_of_the_node_are_valid_and_complete(rendered: Rendered) -> None:
    data = find(rendered[ALONE], "ConfigMap", "settings")["data"]
    settings = Settings(
        dicom_peers=json.loads(data["CHESTXRAY_DICOM_PEERS"]),
        dicom_destination=data["CHESTXRAY_DICOM_DESTINATION"],
        dicom_service=data["CHESTXRAY_DICOM_SERVICE"],
    )
    service = find(rendered[ALONE], "Service", "gateway")

    assert settings.peers[0].networks == (ip_network("10.0.0.5"),)
    assert settings.dicom_node
    assert settings.dicom_service == f"http://{service['metadata']['name']}"
    assert service["spec"]["ports"][0]["port"] == 80


def test_overlay_of_the_readme_wins_over_the_examples_of_the_component(tmp_path: Path) -> None:
    text = (K8S / "README.md").read_text().partition("## A PACS")[2]
    lines = re.findall(r"```yaml\n(.*?)```", text, re.S)[0]
    path = write_mix(tmp_path, ["dicom"]) / "kustomization.yaml"
    path.write_text(path.read_text() + lines)

    data = find(build(tmp_path), "ConfigMap", "settings")["data"]

    wanted = yaml.safe_load(yaml.safe_load(lines)["patches"][0]["patch"])["data"]
    assert len(wanted) == 2
    assert wanted.items() <= data.items()


def test_policy_opens_the_port_to_peers_and_the_metrics_to_prometheus_alone(
    rendered: Rendered,
) -> None:
    policy = find(rendered["base+network-policies"], "NetworkPolicy", "dicom")["spec"]
    peers, prometheus = policy["ingress"]

    assert peers == {"ports": [{"port": "dicom"}]}
    assert prometheus["ports"] == [{"port": "http"}]
    assert prometheus["from"] == [
        {"namespaceSelector": {"matchLabels": {"chestxray/scrapes": "true"}}}
    ]


def test_policy_lets_the_node_reach_its_destination_and_the_gateways(rendered: Rendered) -> None:
    policy = find(rendered["base+network-policies"], "NetworkPolicy", "dicom")["spec"]
    node = Settings(
        dicom_destination=find(rendered[ALONE], "ConfigMap", "settings")["data"][
            "CHESTXRAY_DICOM_DESTINATION"
        ]
    ).dicom_node
    gateways, destination = policy["egress"]

    assert node and {"port": node.port} in destination["ports"]
    assert gateways["to"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "gateway"}


def test_node_has_the_priority_of_serving(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        if {"dicom", "priority"} <= set(mix.split("+")):
            spec = find(manifests, "StatefulSet", "dicom")["spec"]["template"]["spec"]
            assert spec["priorityClassName"] == "chestxray-serving"


def test_load_balancer_of_the_chart_keeps_the_addresses_of_peers() -> None:
    made = chart.template({"dicom": ON | {"loadBalancer": True}})
    service = find(made, "Service", "dicom")["spec"]

    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")


def test_chart_sets_size_and_class_of_the_claim() -> None:
    made = chart.template({"dicom": ON | {"storage": {"size": "50Gi", "className": "fast"}}})
    (claim,) = find(made, "StatefulSet", "dicom")["spec"]["volumeClaimTemplates"]

    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert claim["spec"]["storageClassName"] == "fast"
