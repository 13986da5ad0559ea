"""The commands of k8s/README.md for one node, as printed, by an operator with an empty cluster."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from chestxray.labels import FINDINGS
from tests.cluster.cluster import HERE, LAB, Cluster, report_progress
from tests.conftest import ROOT

README = (ROOT / "k8s" / "README.md").read_text()
# The lab's Kubernetes is older than the oldest one that preflight accepts.
PREFLIGHT = "--without versions --without kinds --without admission"
SECONDS = 420


def commands(title: str) -> list[str]:
    """The lines of the block below a heading."""
    section = README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```", section, re.M | re.S)


@pytest.fixture
def shell_environment(bare_cluster: Cluster) -> Iterator[dict[str, str]]:
    """With programs of the lab first on PATH; what was deployed is deleted afterwards."""
    if not bare_cluster.convert_command:
        pytest.skip("only the lab has stand-ins for docker and kind")
    convert = shlex.join(str(word) for word in bare_cluster.convert_command)
    path = f"{HERE / 'programs'}{os.pathsep}{os.environ['PATH']}"
    try:
        yield os.environ | {
            "LAB": str(LAB),
            "CONVERT": convert,
            "PATH": path,
            "PREFLIGHT": PREFLIGHT,
        }
    finally:
        bare_cluster.kubectl("delete", "namespace", "chestxray", "--ignore-not-found")


def test_newcomer_gets_an_answer_and_rolls_an_upgrade_back(
    shell_environment: dict[str, str], bare_cluster: Cluster
) -> None:
    install, upgrade, uninstall = commands("Try it on one node")
    assert len(install.splitlines()) == 5
    assert len(upgrade.splitlines()) == 3

    # The port is forwarded until the shell ends, which an operator's does not.
    script = f"set -ex\ntrap 'kill $(jobs -p)' EXIT\n{install}"
    answered = run(script, shell_environment)
    reading = json.loads(answered.stdout[answered.stdout.index("{") :])
    (old,) = bare_cluster.pods("gateway")
    upgraded = run(f"set -x\n{upgrade}", shell_environment)
    bare_cluster.roll_out("gateway")
    (kept,) = bare_cluster.pods("gateway")
    removed = run(f"set -ex\n{uninstall}", shell_environment)

    assert set(reading["prediction"]["probabilities"]) == set(FINDINGS)
    assert "timed out" in upgraded.stderr
    assert upgraded.returncode == 0  # of the last command, which rolls back
    assert kept["metadata"]["name"] == old["metadata"]["name"]
    assert kept["status"]["containerStatuses"][0]["ready"]
    assert removed.returncode == 0
    assert "chestxray" not in bare_cluster.kubectl("get", "namespaces")


def run(script: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    report_progress(done.stderr[-3000:])
    return done
