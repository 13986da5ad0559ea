"""Locust as Jobs: a master and a worker pod, and the verdict as an exit code."""

import shlex
import subprocess
from typing import Any

from tests.cluster.cluster import HERE, Cluster, rendered, report_progress, wait_until
from tests.conftest import ROOT

VERDICTS = {0: "met", 1: "missed", 2: "the generator was too slow to tell"}
SECONDS = 240.0


def exit_code(cluster: Cluster, component: str) -> int | None:
    """The exit code of a Job's container, once it has ended."""
    label = f"app.kubernetes.io/component={component}"
    for pod in cluster.get("pods", "-l", label)["items"]:
        for container in pod["status"].get("containerStatuses", []):
            if ended := container["state"].get("terminated"):
                return int(ended["exitCode"])
    return None


def job_condition(cluster: Cluster, job: str) -> str:
    conditions: list[dict[str, Any]] = cluster.get("job", job)["status"].get("conditions", [])
    true = [each["type"] for each in conditions if each["status"] == "True"]
    return next((each for each in true if each in ("Complete", "Failed")), "")


def test_load_test_jobs_end_with_the_verdict_as_exit_code(cluster: Cluster) -> None:
    cluster.apply(rendered(HERE / "loadtest"))
    try:
        kubectl = shlex.join(str(word) for word in cluster.kubectl_command)
        command = ["make", "--no-print-directory", "await-loadtest", f"KUBECTL={kubectl}"]
        awaited = subprocess.run(command, cwd=ROOT, timeout=SECONDS, capture_output=True)
        wait_until("the worker has ended", lambda: exit_code(cluster, "worker") is not None)
        code, log = exit_code(cluster, "master"), cluster.kubectl("logs", "job/loadtest-master")
        outcome = job_condition(cluster, "loadtest-master")
    finally:
        cluster.kubectl("delete", "job", "loadtest-master", "loadtest-workers")

    report_progress(f"load test: exit code {code}, Job {outcome}")
    assert code in VERDICTS, log
    assert f"objectives: {VERDICTS[code]}" in log
    assert outcome == ("Complete" if code == 0 else "Failed")
    assert (awaited.returncode == 0) == (code == 0)
    assert "classifier pod" in log  # the advice
    assert "POST" in log
    assert "/v1/analyses/batch" in log
