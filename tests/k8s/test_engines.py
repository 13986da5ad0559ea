"""Under Knative Serving and KServe runs the base's pod, as far as each accepts it."""

import copy
import json
import re
from ipaddress import ip_address

import pytest

from bentos.gateway import inference_protocol
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings
from tests.k8s import crds, exported, promql, schemas
from tests.k8s.rendering import Manifest, find, of_kind
from tests.k8s.test_policy import STOP_SECONDS, UID

BEHIND_A_FLAG = {
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "initContainers",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "shareProcessNamespace",
    "tolerations",
    "topologySpreadConstraints",
}
"""Fields of a pod that Knative Serving 1.23 refuses until an administrator enables each in the
ConfigMap config-features; from the descriptions in its CustomResourceDefinition. Its schema leaves
out what it always refuses, such as lifecycle and terminationGracePeriodSeconds."""

VOLUMES = {"configMap", "emptyDir", "projected", "secret"}
"""Kinds of volumes that Knative accepts by default; others, and fieldRef, are behind a flag."""

QUIET_SECONDS = 30
"""How long Knative's proxy waits without a request before the container gets SIGTERM
(drainSleepDuration in its cmd/queue)."""

INHERITED = ("command", "args", "envFrom", "resources", "volumeMounts")

Rendered = dict[str, list[Manifest]]


def gateway(rendered: Rendered) -> Manifest:
    pod: Manifest = find(rendered["base"], "Deployment", "gateway")["spec"]["template"]["spec"]
    return pod


def revision(rendered: Rendered) -> Manifest:
    (service,) = of_kind(rendered["knative"], "KnativeService")
    template: Manifest = service["spec"]["template"]
    return template


def predictor(rendered: Rendered) -> Manifest:
    (service,) = of_kind(rendered["kserve"], "InferenceService")
    spec: Manifest = service["spec"]["predictor"]
    return spec


def annotation(rendered: Rendered, name: str) -> str:
    value: str = revision(rendered)["metadata"]["annotations"][f"autoscaling.knative.dev/{name}"]
    return value


def hpa(rendered: Rendered) -> Manifest:
    mix = rendered["base+autoscaling-hpa"]
    spec: Manifest = find(mix, "HorizontalPodAutoscaler", "gateway")["spec"]
    return spec


def settings(manifests: list[Manifest]) -> Manifest:
    values: Manifest = find(manifests, "ConfigMap", "settings")["data"]
    return values


def without_port(probe: Manifest) -> Manifest:
    return probe | {"httpGet": {"path": probe["httpGet"]["path"]}}


def hashless(container: Manifest, keys: tuple[str, ...]) -> dict[str, str]:
    """The fields by name, and the ConfigMap without the hash of what an overlay changes."""
    return {key: re.sub(r"settings-\w+", "settings", repr(container[key])) for key in keys}


def test_knative_accepts_every_field_of_the_pod_by_default(rendered: Rendered) -> None:
    pod = revision(rendered)["spec"]
    (container,) = pod["containers"]

    assert set(pod) & BEHIND_A_FLAG == set()
    assert {kind for each in pod["volumes"] for kind in each if kind != "name"} <= VOLUMES
    assert all("valueFrom" not in each for each in container["env"])
    assert "add" not in container["securityContext"]["capabilities"]
    assert {each.get("name", "http1") for each in container["ports"]} == {"http1"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_fields_behind_a_flag_are_in_the_schema_of_knative() -> None:
    path = crds.path_of("serving.knative.dev/v1", "Service")
    pod = json.loads(path.read_text())["$defs"]["ServiceSpecTemplateSpec"]

    assert set(pod["properties"]) >= BEHIND_A_FLAG


@pytest.mark.parametrize("field", ["terminationGracePeriodSeconds", "containers.0.lifecycle"])
def test_field_that_knative_always_refuses_is_detected(rendered: Rendered, field: str) -> None:
    manifest = copy.deepcopy(of_kind(rendered["knative"], "KnativeService")[0])
    *parents, last = field.split(".")
    parent = manifest["spec"]["template"]["spec"]
    for key in parents:
        parent = parent[int(key) if key.isdigit() else key]
    parent[last] = {}

    (problem,) = schemas.problems(manifest, schemas.newest())

    assert f"'{last}' was unexpected" in problem


def test_knative_container_is_that_of_the_base(rendered: Rendered) -> None:
    (base,), (container,) = (
        gateway(rendered)["containers"],
        revision(rendered)["spec"]["containers"],
    )

    assert hashless(container, INHERITED) == hashless(base, INHERITED)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe] == without_port(base[probe])
    assert [port["containerPort"] for port in container["ports"]] == [
        port["containerPort"] for port in base["ports"]
    ]
    (threads,) = [e for e in container["env"] if e["name"] == "CHESTXRAY_MODEL_THREADS"]
    assert threads["value"] == container["resources"]["limits"]["cpu"]


def test_knative_container_is_restricted_without_a_pod_security_context(rendered: Rendered) -> None:
    (container,) = revision(rendered)["spec"]["containers"]

    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": UID,
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_engines_scale_by_the_same_images_in_flight_as_the_hpa(rendered: Rendered) -> None:
    by_type = {each["type"]: each for each in hpa(rendered)["metrics"]}
    target = by_type["Pods"]["pods"]["target"]["averageValue"]
    (cpu, metric) = predictor(rendered)["autoScaling"]["metrics"]

    assert annotation(rendered, "metric") == "concurrency"
    assert annotation(rendered, "target") == target
    assert annotation(rendered, "target-utilization-percentage") == "100"
    assert cpu["resource"] == by_type["Resource"]["resource"]
    assert metric["external"]["target"] == {"type": "Value", "value": target}
    assert revision(rendered)["spec"]["containerConcurrency"] == 0


def test_engines_have_the_bounds_of_the_hpa(rendered: Rendered) -> None:
    most, least = hpa(rendered)["maxReplicas"], hpa(rendered)["minReplicas"]
    pods = predictor(rendered)

    assert annotation(rendered, "min-scale") == "1"
    assert annotation(rendered, "max-scale") == str(most)
    assert (pods["minReplicas"], pods["maxReplicas"]) == (least, most)
    delay = int(annotation(rendered, "scale-down-delay").removesuffix("m")) * 60
    assert delay == hpa(rendered)["behavior"]["scaleDown"]["stabilizationWindowSeconds"]


def test_knative_waits_for_the_longest_request_and_the_drain(rendered: Rendered) -> None:
    seconds = revision(rendered)["spec"]["timeoutSeconds"]
    delay = float(settings(rendered["knative"])["CHESTXRAY_DRAIN_DELAY_SECONDS"])

    assert seconds >= LONGEST_REQUEST_SECONDS + QUIET_SECONDS + delay + STOP_SECONDS


def test_kserve_query_uses_a_metric_of_the_pods_that_it_scales(rendered: Rendered) -> None:
    (_, metric) = predictor(rendered)["autoScaling"]["metrics"]
    (selector,) = promql.read(metric["external"]["metric"]["query"]).selectors

    name, matchers = selector
    assert exported.is_exported_by_gateways(name)
    assert all(exported.can_have(name, m.label, v) for m in matchers for v in m.values)


def test_kserve_pod_is_that_of_the_base(rendered: Rendered) -> None:
    base, pods = gateway(rendered), predictor(rendered)
    (expected,), (container,) = base["containers"], pods["containers"]
    keys = tuple(set(expected) - {"name", "image"})

    assert set(container) == set(expected)
    assert hashless(container, keys) == hashless(expected, keys)
    assert {key: pods[key] for key in set(base) - {"containers"}} == {
        key: base[key] for key in set(base) - {"containers"}
    }
    deployment = find(rendered["base"], "Deployment", "gateway")["spec"]
    assert pods["deploymentStrategy"] == deployment["strategy"]


def test_kserve_service_has_the_name_of_the_model(rendered: Rendered) -> None:
    (service,) = of_kind(rendered["kserve"], "InferenceService")

    assert service["metadata"]["name"] == inference_protocol.MODEL
    annotations = service["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "Standard"
    assert annotations["serving.kserve.io/autoscalerClass"] == "keda"


@pytest.mark.parametrize("engine", ["knative", "kserve"])
def test_engine_replaces_the_deployment_and_its_service(rendered: Rendered, engine: str) -> None:
    manifests = rendered[engine]

    assert of_kind(manifests, "Deployment", "Service") == []
    assert {each["metadata"]["name"] for each in of_kind(manifests, "ServiceAccount")} == {
        "gateway"
    }


@pytest.mark.parametrize("engine", ["knative", "kserve"])
def test_settings_of_an_engine_are_those_of_the_base(rendered: Rendered, engine: str) -> None:
    (name,) = {
        each["metadata"]["name"]
        for each in of_kind(rendered[engine], "ConfigMap")
        if each["metadata"]["name"].startswith("settings-")
    }
    pod = revision(rendered)["spec"] if engine == "knative" else predictor(rendered)
    (container,) = pod["containers"]

    changed = dict(settings(rendered[engine]).items() - settings(rendered["base"]).items())
    assert set(changed) <= {"CHESTXRAY_TRUSTED_PROXIES", "CHESTXRAY_DRAIN_DELAY_SECONDS"}
    assert settings(rendered[engine]).keys() == settings(rendered["base"]).keys()
    assert container["envFrom"] == [{"configMapRef": {"name": name}}]


@pytest.mark.parametrize(
    ("engine", "peers"),
    [("knative", {"127.0.0.1", "::1", "10.1.2.3", "fd00::1"}), ("kserve", {"10.1.2.3", "fd00::1"})],
)
def test_proxies_of_an_engine_are_trusted(rendered: Rendered, engine: str, peers: set[str]) -> None:
    trusted = Settings(
        trusted_proxies=json.loads(settings(rendered[engine])["CHESTXRAY_TRUSTED_PROXIES"])
    ).trusted_proxies

    for peer in peers:
        assert any(ip_address(peer) in network for network in trusted)


@pytest.mark.parametrize("engine", ["knative", "kserve"])
def test_image_of_an_engine_has_a_fixed_tag(rendered: Rendered, engine: str) -> None:
    pod = revision(rendered)["spec"] if engine == "knative" else predictor(rendered)
    (container,) = pod["containers"]

    assert re.fullmatch(r"chestxray:\d+\.\d+\.\d+", container["image"])


@pytest.mark.parametrize("engine", ["knative", "kserve"])
def test_pods_of_an_engine_are_scraped(rendered: Rendered, engine: str) -> None:
    (monitor,) = of_kind(rendered[engine], "PodMonitor")
    knative = revision(rendered)["metadata"]["labels"]
    labels = knative if engine == "knative" else predictor(rendered)["labels"]
    ports = {"knative": {"user-port"}, "kserve": {"http"}}[engine]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (names,) = monitor["spec"]["selector"]["matchExpressions"]
    assert labels[names["key"]] in names["values"]
    assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} == ports


def test_disruption_budget_selects_the_pods_of_kserve(rendered: Rendered) -> None:
    (budget,) = of_kind(rendered["kserve"], "PodDisruptionBudget")

    selector = budget["spec"]["selector"]["matchLabels"]
    assert selector.items() <= predictor(rendered)["labels"].items()
