"""The manifests and the image deployed in a real cluster."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.analyses import analyse, check_reading
from tests.cluster.cluster import HERE, Cluster, rendered, run_lab, wait_until


def test_image_is_analysed_in_the_cluster(cluster: Cluster) -> None:
    check_reading(analyse(cluster))


def test_real_radiograph_is_analysed_in_the_cluster(cluster: Cluster, real_chest: Path) -> None:
    check_reading(analyse(cluster, real_chest))


@pytest.mark.parametrize("path", ["/srv/chestxray/x", "/opt/venv/x", "/etc/x", "/x"])
def test_root_file_system_is_read_only(cluster: Cluster, path: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        cluster.kubectl("exec", "deployment/gateway", "--", "touch", path)

    assert "Read-only file system" in refused.value.__notes__[0]


def test_container_process_has_no_privileges(cluster: Cluster) -> None:
    status = cluster.kubectl("exec", "deployment/gateway", "--", "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert facts["Uid"].split() == 4 * ["10001"]
    assert {facts[f"Cap{each}"] for each in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {16 * "0"}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")


FIND_FORBIDDEN = """
import shutil
from importlib.util import find_spec
print([name for name in ("training", "torch", "pip") if find_spec(name)])
print([name for name in ("cc", "gcc", "g++") if shutil.which(name)])
"""


def test_image_has_neither_compiler_nor_training_code(cluster: Cluster) -> None:
    found = cluster.kubectl("exec", "deployment/gateway", "--", "python", "-c", FIND_FORBIDDEN)

    assert found.split() == ["[]", "[]"]


def test_rolling_update_under_load_loses_no_request(cluster: Cluster) -> None:
    before = {pod["metadata"]["name"] for pod in cluster.pods("gateway")}

    with cluster.load() as load:
        cluster.kubectl("rollout", "restart", "deployment/gateway")
        cluster.roll_out("gateway")

    assert not before & {pod["metadata"]["name"] for pod in cluster.pods("gateway")}
    assert set(load.statuses) == {200}


def test_killed_pod_fails_only_its_own_requests(cluster: Cluster) -> None:
    """Its requests in flight break; a client that retries is answered."""
    victim = cluster.pods("gateway")[0]["metadata"]["name"]

    with cluster.load(retries=1) as load:
        cluster.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
        cluster.roll_out("gateway")

    assert set(load.statuses) == {200}


def test_rollout_with_broken_weights_is_halted(cluster: Cluster) -> None:
    wrong = f"CHESTXRAY_CLASSIFIER_DIGEST=sha256:{64 * '0'}"
    old = {pod["metadata"]["name"] for pod in cluster.pods("gateway")}

    def log() -> str:
        new = [pod for pod in cluster.pods("gateway") if pod["metadata"]["name"] not in old]
        return cluster.log(new[0]["metadata"]["name"]) if new else ""

    cluster.kubectl("set", "env", "deployment/gateway", wrong)
    try:
        wait_until("the new pod says why", lambda: "cannot start" in log())
        complaint = log()
        time.sleep(10)  # long enough for a rollout that nothing holds
        status = cluster.get("deployment", "gateway")["status"]
        answer = analyse(cluster)
    finally:
        cluster.kubectl("rollout", "undo", "deployment/gateway")
        cluster.roll_out("gateway")

    assert "corrupt or the wrong file" in complaint
    assert status["availableReplicas"] == 2
    assert answer["status"] == 200


def test_rollout_to_a_missing_image_under_load_loses_no_request(cluster: Cluster) -> None:
    old = {pod["metadata"]["name"] for pod in cluster.pods("gateway")}

    def waiting_for() -> set[str]:
        new = [pod for pod in cluster.pods("gateway") if pod["metadata"]["name"] not in old]
        states = [each for pod in new for each in pod["status"].get("containerStatuses", [])]
        return {each["state"].get("waiting", {}).get("reason", "") for each in states}

    with cluster.load() as load:
        cluster.kubectl("set", "image", "deployment/gateway", "gateway=chestxray:missing")
        try:
            wait_until(
                "the new pod waits for its image",
                lambda: bool(waiting_for() & {"ErrImagePull", "ImagePullBackOff"}),
            )
            time.sleep(10)  # long enough for a rollout that nothing holds
            kept = old <= {pod["metadata"]["name"] for pod in cluster.pods("gateway")}
        finally:
            cluster.kubectl("rollout", "undo", "deployment/gateway")
            cluster.roll_out("gateway")

    assert kept
    assert set(load.statuses) == {200}


def evict(cluster: Cluster, pod: str) -> None:
    """The eviction that `kubectl drain` requests for each pod of a node."""
    group = "policy/v1beta1" if cluster.convert_command else "policy/v1"
    eviction = {
        "apiVersion": group,
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "chestxray"},
    }
    path = f"/api/v1/namespaces/chestxray/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))


def test_eviction_respects_the_disruption_budget(cluster: Cluster) -> None:
    first, second = (pod["metadata"]["name"] for pod in cluster.pods("gateway"))

    with cluster.load() as load:
        evict(cluster, first)
        with pytest.raises(subprocess.CalledProcessError) as refused:
            evict(cluster, second)
        cluster.roll_out("gateway")

    assert "violate the pod's disruption budget" in refused.value.__notes__[0]
    assert set(load.statuses) == {200}


@pytest.fixture
def gpu_tier(cluster: Cluster) -> Iterator[Cluster]:
    """The classifier of the gpu component, with the CPU image and device."""
    if not cluster.convert_command:
        pytest.skip("only the lab's node can be given a GPU that it has not")
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    cluster.kubectl("label", "node", node, "nvidia.com/gpu.present=true", "--overwrite")
    cluster.apply(rendered(HERE / "gpu"))
    try:
        yield cluster
    finally:
        run_lab("gpu", "0")
        cluster.apply(rendered(HERE / "overlay"))
        cluster.kubectl("scale", "deployment/classifier", "--replicas=0")
        wait_until("no classifier is left", lambda: not cluster.pods("classifier"))


def test_gpu_pod_is_pending_without_a_gpu_and_runs_with_one(gpu_tier: Cluster) -> None:
    def phases() -> list[str]:
        return [pod["status"]["phase"] for pod in gpu_tier.pods("classifier")]

    def reasons() -> str:
        (pod,) = gpu_tier.pods("classifier")
        return " ".join(each.get("message", "") for each in pod["status"].get("conditions", []))

    gpu_tier.kubectl("scale", "deployment/classifier", "--replicas=1")
    wait_until("it waits for a GPU", lambda: "Insufficient nvidia.com/gpu" in reasons(), 60)
    assert phases() == ["Pending"]

    run_lab("gpu", "1")
    wait_until("it runs", lambda: phases() == ["Running"])
    gpu_tier.roll_out("classifier")
