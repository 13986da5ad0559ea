"""The classifier tier scales from zero to several pods and back, by the ScaledObject's query."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import LAB, Cluster, report_progress, run, wait_until
from tests.conftest import ROOT

PROMETHEUS = "http://127.0.0.1:9090"
TARGETS = "targets.json"
PLAIN = ROOT / "k8s" / "monitoring-plain"
LOCUST = (
    "locust -f loadtests/locustfile.py --headless --host http://gateway --users 8 --spawn-rate 4"
    " --run-time {seconds}s --json --only-summary"
)
LIGHT_PAUSE_SECONDS = 1.0
"""Pause of the permanent load: one request per second, below the activation threshold."""


@pytest.fixture
def autoscaled_cluster(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster under a real Prometheus, and the lab's stand-in for KEDA's operator."""
    if not cluster.convert_command:
        pytest.skip("on a cluster of your own KEDA and Prometheus are yours; the lab has stand-ins")
    if not shutil.which("prometheus"):
        pytest.skip("needs Debian's package prometheus")
    config = configuration(tmp_path)
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={PROMETHEUS.removeprefix('http://')}",
    ]
    with (
        updated_targets(cluster, tmp_path / TARGETS),
        background_process(tmp_path / "prometheus.log", LAB, "exec", "prometheus", *flags),
        background_process(tmp_path / "scaler.log", LAB, "scaler", PROMETHEUS),
    ):
        yield cluster


def configuration(folder: Path) -> Path:
    """The shipped scrape configuration of the pods, listed in a file with the same labels, since
    Debian's Prometheus has no Kubernetes discovery.
    """
    scraping = yaml.safe_load((PLAIN / "prometheus.yml").read_text())
    jobs = [job for job in scraping["scrape_configs"] if "kubernetes_sd_configs" in job]
    scraping["scrape_configs"] = jobs
    for job in jobs:
        del job["kubernetes_sd_configs"]
        job["file_sd_configs"] = [{"files": [str(folder / TARGETS)], "refresh_interval": "2s"}]
    shutil.copy(PLAIN / "rules.yaml", folder)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(scraping))
    return path


def targets(cluster: Cluster) -> list[dict[str, Any]]:
    """The running pods, as Prometheus's Kubernetes discovery would describe them."""
    pods = cluster.get("pods")["items"]
    return [
        {"targets": [f"{pod['status']['podIP']}:{port['containerPort']}"], "labels": labels(pod)}
        for pod in pods
        if pod["status"].get("podIP")
        for port in pod["spec"]["containers"][0].get("ports", [])
    ]


def labels(pod: dict[str, Any]) -> dict[str, str]:
    container = pod["spec"]["containers"][0]
    facts = {
        "namespace": pod["metadata"]["namespace"],
        "pod_name": pod["metadata"]["name"],
        "pod_phase": pod["status"]["phase"],
        "pod_container_name": container["name"],
        "pod_container_port_name": container["ports"][0]["name"],
    }
    for key, value in pod["metadata"]["labels"].items():
        facts[f"pod_label_{re.sub('[^a-zA-Z0-9]', '_', key)}"] = value
    return {f"__meta_kubernetes_{key}": value for key, value in facts.items()}


@contextmanager
def updated_targets(cluster: Cluster, file: Path) -> Iterator[None]:
    """Keeps the target file up to date with the pods."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(2):
            part = file.with_suffix(".part")
            part.write_text(json.dumps(targets(cluster)))
            part.rename(file)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def background_process(log: Path, *command: str | Path) -> Iterator[None]:
    """Runs a process until the block ends."""
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
            report_progress(f"{log.name}: {log.read_text()[-600:]}")


def ready_pods(cluster: Cluster) -> int:
    return int(cluster.get("deployment", "classifier")["status"].get("readyReplicas", 0))


def wanted_pods(cluster: Cluster) -> int:
    return int(cluster.get("deployment", "classifier")["spec"]["replicas"])


def images_answered_by_tier(cluster: Cluster) -> float:
    """Images answered by pods of the tier, summed over all gateways."""
    names = [pod["metadata"]["name"] for pod in cluster.pods("gateway")]
    lines = [cluster.metrics(name, "chestxray_model_images_total") for name in names]
    samples = [line for text in lines for line in text.splitlines() if 'backend="pods"' in line]
    return sum(float(sample.rpartition(" ")[2]) for sample in samples)


def start_locust(cluster: Cluster, seconds: int) -> "subprocess.Popen[str]":
    command = [*cluster.kubectl_command, "--namespace", "chestxray", "exec", "client", "--"]
    return subprocess.Popen(
        [*command, *LOCUST.format(seconds=seconds).split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def demand(cluster: Cluster) -> list[Any]:
    """What Prometheus answers to the query that scales the tier."""
    trigger, _ = cluster.get("scaledobject", "classifier")["spec"]["triggers"]
    query = f"query={trigger['metadata']['query']}"
    url = f"{PROMETHEUS}/api/v1/query"
    answer = run([LAB, "exec", "curl", "-sS", "--get", "--data-urlencode", query, url])
    return list(json.loads(answer)["data"]["result"])


def replace_token(cluster: Cluster, **values: str) -> None:
    """Writes the Secret of the pods' token anew, as an operator does."""
    literals = [f"--from-literal={name}={value}" for name, value in values.items()]
    dry = ["--dry-run=client", "-o", "yaml"]
    manifest = cluster.kubectl("create", "secret", "generic", "pod-token", *literals, *dry)
    cluster.kubectl("apply", "-f", "-", text=manifest)


def restart(cluster: Cluster, name: str) -> None:
    cluster.kubectl("rollout", "restart", f"deployment/{name}")
    cluster.roll_out(name)


def test_token_is_replaced_under_load_without_a_refused_gateway(cluster: Cluster) -> None:
    """As docs/operations.md says: classifier pods, gateways, classifier pods."""
    old, new = "only-for-the-test-of-a-cluster", "the-next-one-for-the-test-of-a-cluster"
    cluster.kubectl("scale", "deployment/classifier", "--replicas=1")
    try:
        cluster.roll_out("classifier")
        before = images_answered_by_tier(cluster)
        with cluster.load(threads=1, pause=LIGHT_PAUSE_SECONDS) as light:
            wait_until("the tier answers", lambda: images_answered_by_tier(cluster) > before)
            replace_token(cluster, token=new, previous=old)
            restart(cluster, "classifier")
            restart(cluster, "gateway")
            replace_token(cluster, token=new)
            restart(cluster, "classifier")
            again = images_answered_by_tier(cluster)
            wait_until("the tier answers", lambda: images_answered_by_tier(cluster) > again)
        refused = [
            line
            for pod in cluster.pods("gateway")
            for line in cluster.metrics(
                pod["metadata"]["name"], "chestxray_pod_failures_total"
            ).splitlines()
            if 'reason="refused"' in line
        ]
    finally:
        cluster.kubectl("scale", "deployment/classifier", "--replicas=0")

    assert set(light.statuses) == {200}
    assert refused
    assert {line.rpartition(" ")[2] for line in refused} == {"0.0"}


def test_gateway_restarted_at_zero_loses_no_request_and_hides_no_demand(
    autoscaled_cluster: Cluster,
) -> None:
    victim = autoscaled_cluster.pods("gateway")[0]["metadata"]["name"]
    answers = []

    def replaced() -> bool:
        answers.append(demand(autoscaled_cluster))
        names = [pod["metadata"]["name"] for pod in autoscaled_cluster.pods("gateway", ending=True)]
        status = autoscaled_cluster.get("deployment", "gateway")["status"]
        return victim not in names and status.get("availableReplicas") == 2

    with autoscaled_cluster.load(threads=1, retries=1, pause=LIGHT_PAUSE_SECONDS) as light:
        wait_until("the demand is known", lambda: bool(demand(autoscaled_cluster)))
        autoscaled_cluster.kubectl("delete", "pod", victim, "--wait=false")
        wait_until("another gateway has replaced it", replaced)

    assert all(answers)
    assert set(light.statuses) == {200}


def test_classifier_tier_scales_from_zero_and_back_without_errors(
    autoscaled_cluster: Cluster,
) -> None:
    assert wanted_pods(autoscaled_cluster) == 0
    before = images_answered_by_tier(autoscaled_cluster)

    with autoscaled_cluster.load(threads=1, pause=LIGHT_PAUSE_SECONDS) as light:
        time.sleep(20)
        assert (
            wanted_pods(autoscaled_cluster) == 0
        )  # one request per second does not activate the tier

        with start_locust(autoscaled_cluster, seconds=90) as locust:
            started = time.monotonic()
            wait_until("pods are asked for", lambda: wanted_pods(autoscaled_cluster) > 0)
            report_progress(f"pods are asked for after {time.monotonic() - started:.0f} s of load")
            wait_until(
                "the tier answers", lambda: images_answered_by_tier(autoscaled_cluster) > before
            )
            report_progress(
                f"first answer of the tier after {time.monotonic() - started:.0f} s of load"
            )
            wait_until("two pods are ready", lambda: ready_pods(autoscaled_cluster) == 2)
            report_progress(f"two pods are ready after {time.monotonic() - started:.0f} s of load")
            output, _ = locust.communicate(timeout=300)
        ended = time.monotonic()
        wait_until(
            "no pod is left", lambda: not autoscaled_cluster.pods("classifier", ending=True), 300
        )
        report_progress(f"no pod is left {time.monotonic() - ended:.0f} s after the load")
        last = images_answered_by_tier(autoscaled_cluster)
        time.sleep(10)
        assert images_answered_by_tier(autoscaled_cluster) == last  # the gateways classify again

    # Two cores have the cluster and its load: a request may be shed, and none may fail.
    assert set(light.statuses) <= {200, 503}
    assert light.statuses[200] >= 0.9 * sum(light.statuses.values())
    report: list[dict[str, Any]] = json.loads(output)
    report_progress(f"locust: {sum(each['num_requests'] for each in report)} requests")
    assert {each["name"]: each["num_failures"] for each in report if each["num_failures"]} == {}
