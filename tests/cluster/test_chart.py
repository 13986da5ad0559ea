"""A release of the Helm chart: installed, upgraded, rolled back, uninstalled."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.analyses import analyse, check_reading
from tests.cluster.cluster import HERE, LAB, Cluster, rendered, report_progress, run
from tests.k8s import chart
from tools.helm import helm

NAMESPACE = "release"
TOKEN = "for-the-test-of-the-chart-alone"
SMALL = {"resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}}
VALUES = {
    "image": {"tag": "test"},
    "gateway": SMALL | {"replicas": 2},
    "tier": SMALL | {"enabled": True},
    "networkPolicies": {"enabled": True},
}
"""Two gateways and a tier of one pod, on a small node."""


@dataclass(frozen=True)
class Release:
    """The chart's release in a namespace of its own."""

    cluster: Cluster
    chart: Path
    command: tuple[str | Path, ...]
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def helm(self, *arguments: str, values: dict[str, Any] | None = None) -> str:
        """Runs helm in the namespace. Raises CalledProcessError with its errors as a note."""
        report_progress(f"helm {' '.join(arguments[:3])}")
        command = [*self.command, *arguments, "--namespace", NAMESPACE]
        text = yaml.safe_dump(values)
        return run(command, text=text, timeout=300, environment=self.environment)

    def upgrade(self, changes: dict[str, Any], *, timeout: str = "4m") -> None:
        """Installs or upgrades, and waits, with these changes of the values."""
        command = ["upgrade", "--install", "chestxray", str(self.chart), "--values", "-"]
        options = ["--wait", "--timeout", timeout, *self.options]
        self.helm(*command, *options, values=VALUES | changes)

    def objects(self) -> list[str]:
        """What Helm made and has not removed."""
        kinds = (
            "deployments,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets"
        )
        label = "app.kubernetes.io/managed-by=Helm"
        return self.cluster.kubectl("get", kinds, "-l", label, "-o", "name").split()

    def environment_of_gateways(self) -> set[str]:
        """The setting CHESTXRAY_LOG_LEVEL in each gateway's pod."""
        names = [pod["metadata"]["name"] for pod in self.cluster.pods("gateway")]
        command = ("printenv", "CHESTXRAY_LOG_LEVEL")
        return {self.cluster.kubectl("exec", name, "--", *command).strip() for name in names}


@pytest.fixture
def release(bare_cluster: Cluster, tmp_path: Path) -> Iterator[Release]:
    """A namespace with the Secret of the tier and a client pod, and no release in it yet."""
    cluster = replace(bare_cluster, namespace=NAMESPACE)
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        cluster.kubectl("create", "secret", "generic", "pod-token", f"--from-literal=token={TOKEN}")
        cluster.apply(rendered(HERE / "client_pod"))
        if cluster.convert_command:
            yield release_on_lab(cluster, tmp_path)
        else:
            yield Release(cluster, chart.CHART, (helm(),))
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE)


def release_on_lab(cluster: Cluster, folder: Path) -> Release:
    """What Helm applies is converted for the lab's Kubernetes, which the chart would refuse."""
    copy = Path(shutil.copytree(chart.CHART, folder / "chart"))
    described = copy / "Chart.yaml"
    described.write_text(re.sub(r"(?m)^kubeVersion: .*\n", "", described.read_text()))
    environment = {
        "CONVERT": shlex.join(str(word) for word in cluster.convert_command),
        "HELM_PLUGINS": str(HERE / "programs" / "helm-plugins"),
    }
    # Kubernetes 1.20 refuses to apply a Service on the server.
    options = ("--post-renderer", "lab-convert", "--server-side=false")
    return Release(cluster, copy, (LAB, "helm"), options, environment)


def test_release_is_upgraded_rolled_back_and_uninstalled_under_load(release: Release) -> None:
    cluster = release.cluster
    release.upgrade({})
    cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    check_reading(analyse(cluster))

    with cluster.load() as load:
        release.upgrade({"settings": {"CHESTXRAY_LOG_LEVEL": "warning"}})
        upgraded = release.environment_of_gateways()
        with pytest.raises(subprocess.CalledProcessError) as failed:
            release.upgrade({"image": {"tag": "missing"}}, timeout="20s")
        release.helm("rollback", "chestxray", "2", "--wait", "--timeout", "4m")
        rolled_back = release.environment_of_gateways()
    history = json.loads(release.helm("history", "chestxray", "--output", "json"))
    release.helm("uninstall", "chestxray", "--wait")

    assert upgraded == rolled_back == {"warning"}
    assert "Deployment" in failed.value.__notes__[0]
    assert set(load.statuses) == {200}
    assert [each["status"] for each in history] == [
        "superseded",
        "superseded",
        "failed",
        "deployed",
    ]
    assert release.objects() == []
    assert cluster.get("secret", "pod-token")["kind"] == "Secret"  # not the chart's
