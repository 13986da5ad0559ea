"""Every pod is restricted, has limits and probes, is spread, and stops without losing requests."""

import re
from collections.abc import Iterator

import pytest

from tests.k8s import rendering
from tests.k8s.rendering import OVERLAYS, Manifest, find, name_of, of_kind, pods

UID = 10001
IDENTITY = ("runAsUser", "runAsGroup", "fsGroup")
STOP_SECONDS = 10
"""Maximum time that the processes need to exit after the drain."""
MARGIN_SECONDS = 5
SMALLEST_REQUEST = {"cpu", "memory"}

Rendered = dict[str, list[Manifest]]


def containers(rendered: Rendered) -> Iterator[tuple[str, Manifest]]:
    for mix, manifests in rendered.items():
        for owner, pod in pods(manifests):
            for container in pod.get("initContainers", []) + pod["containers"]:
                yield f"{mix}: {owner}", container


def deployments(rendered: Rendered) -> Iterator[tuple[str, Manifest, Manifest]]:
    for mix, manifests in rendered.items():
        settings = find(manifests, "ConfigMap", "settings")["data"]
        for deployment in of_kind(manifests, "Deployment"):
            yield f"{mix}: {name_of(deployment)}", deployment["spec"], settings


def test_pods_run_as_a_user_without_rights_or_a_service_account_token(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for owner, pod in pods(manifests):
            context = pod["securityContext"]
            assert context["runAsNonRoot"] is True, f"{mix}: {owner}"
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, f"{mix}: {owner}"
            assert pod["automountServiceAccountToken"] is False, f"{mix}: {owner}"
            assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod), owner


def test_pods_run_as_a_fixed_user_except_where_the_platform_gives_one(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        wanted = {} if "openshift" in mix.split("+") else dict.fromkeys(IDENTITY, UID)
        for owner, pod in pods(manifests):
            found = {key: pod["securityContext"].get(key) for key in IDENTITY}
            assert found == dict.fromkeys(IDENTITY) | wanted, f"{mix}: {owner}"


def test_pods_get_no_variables_of_the_services_around_them(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        for owner, pod in pods(manifests):
            assert pod["enableServiceLinks"] is False, f"{mix}: {owner}"


def test_containers_have_a_restricted_security_context(rendered: Rendered) -> None:
    for owner, container in containers(rendered):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, owner


def test_volumes_are_of_kinds_allowed_for_restricted_pods(rendered: Rendered) -> None:
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    for mix, manifests in rendered.items():
        for owner, pod in pods(manifests):
            for volume in pod.get("volumes", []):
                assert set(volume) - {"name"} <= allowed, f"{mix}: {owner}"
                assert volume.get("emptyDir", {"sizeLimit": "1"})["sizeLimit"], f"{mix}: {owner}"


def test_containers_have_requests_and_limits(rendered: Rendered) -> None:
    for owner, container in containers(rendered):
        resources = container["resources"]
        assert set(resources["requests"]) >= SMALLEST_REQUEST, owner
        assert set(resources["limits"]) >= SMALLEST_REQUEST, owner


def test_deployment_containers_have_three_probes_by_port_name(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        for container in spec["template"]["spec"]["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe]["httpGet"]["port"] in ports, f"{owner} {probe}"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", owner


def test_startup_probe_allows_three_minutes(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 180, owner


def test_liveness_probe_leaves_the_supervisor_time_to_restart_a_process(rendered: Rendered) -> None:
    for owner, spec, settings in deployments(rendered):
        probe = spec["template"]["spec"]["containers"][0]["livenessProbe"]
        patience = probe["periodSeconds"] * probe["failureThreshold"]
        assert patience >= 3 * float(settings["CHESTXRAY_HEARTBEAT_TIMEOUT_SECONDS"]), owner


def test_termination_grace_period_exceeds_the_drain_time(rendered: Rendered) -> None:
    for owner, spec, settings in deployments(rendered):
        drain = sum(
            float(settings[f"CHESTXRAY_DRAIN_{part}_SECONDS"]) for part in ("DELAY", "TIMEOUT")
        )
        pod = spec["template"]["spec"]
        grace = pod["terminationGracePeriodSeconds"]
        assert grace >= drain + STOP_SECONDS + MARGIN_SECONDS, owner


def test_drain_command_uses_the_container_port(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        (container,) = spec["template"]["spec"]["containers"]
        (port,) = container["ports"]
        asked = container["lifecycle"]["preStop"]["exec"]["command"]
        assert asked == ["chestxray", "drain", "--port", str(port["containerPort"])], owner
        assert container["args"][-2:] == asked[-2:], owner


def test_rollout_starts_a_new_pod_before_it_stops_an_old_one(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}, owner
        assert spec["minReadySeconds"] > 0, owner


def test_pods_are_spread_over_zones_and_nodes(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        rules = spec["template"]["spec"]["topologySpreadConstraints"]
        keys = {rule["topologyKey"] for rule in rules}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}, owner
        for rule in rules:
            assert rule["labelSelector"] == spec["selector"], owner
            assert rule["matchLabelKeys"] == ["pod-template-hash"], owner


def test_every_deployment_has_a_disruption_budget_of_one_pod(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        budgets = [each["spec"] for each in of_kind(manifests, "PodDisruptionBudget")]
        for deployment in of_kind(manifests, "Deployment"):
            selector = deployment["spec"]["selector"]
            (budget,) = [each for each in budgets if each["selector"] == selector]
            assert budget["maxUnavailable"] == 1, mix
            assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow", mix


def test_model_threads_follow_the_cpu_limit(rendered: Rendered) -> None:
    for owner, spec, _ in deployments(rendered):
        (container,) = spec["template"]["spec"]["containers"]
        (threads,) = [e for e in container["env"] if e["name"] == "CHESTXRAY_MODEL_THREADS"]
        assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu", owner
        assert re.fullmatch(r"\d+", container["resources"]["limits"]["cpu"]), owner


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_in_overlays_have_a_fixed_tag(name: str) -> None:
    for owner, container in containers({name: rendering.overlay(name)}):
        _, _, tag = container["image"].rpartition("/")[2].partition(":")
        assert tag, owner
        assert tag != "latest", owner


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_uses_one_namespace_that_enforces_restricted_pods(name: str) -> None:
    manifests = rendering.overlay(name)
    (namespace,) = of_kind(manifests, "Namespace")

    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for manifest in manifests:
        if manifest["kind"] not in ("Namespace", "PriorityClass"):
            assert manifest["metadata"]["namespace"] == namespace["metadata"]["name"]
        assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "chestxray"


def test_autoscaled_deployment_sets_no_replicas(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        scaled = {
            each["spec"]["scaleTargetRef"]["name"]
            for each in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
        }
        for deployment in of_kind(manifests, "Deployment"):
            fixed = "replicas" in deployment["spec"]
            assert fixed != (deployment["metadata"]["name"] in scaled), f"{mix}: {deployment}"


def test_job_pods_are_not_restarted_forever(rendered: Rendered) -> None:
    jobs = [job for manifests in rendered.values() for job in of_kind(manifests, "Job")]

    assert jobs
    for job in jobs:
        assert job["spec"]["template"]["spec"]["restartPolicy"] in ("Never", "OnFailure")
        assert job["spec"]["backoffLimit"] <= 6


def test_load_test_master_is_not_retried(rendered: Rendered) -> None:
    master = find(rendered["base+loadtest"], "Job", "loadtest-master")["spec"]
    workers = find(rendered["base+loadtest"], "Job", "loadtest-workers")["spec"]
    args = master["template"]["spec"]["containers"][0]["args"]

    assert master["backoffLimit"] == 0
    assert int(args[args.index("--expect-workers") + 1]) == workers["parallelism"]
