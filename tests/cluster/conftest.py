"""The cluster with the deployed service, shared by all tests of this folder."""

import os
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import (
    HERE,
    LAB,
    Cluster,
    lab_can_run,
    rendered,
    report_progress,
    run_lab,
)
from tests.conftest import ROOT
from tools.kubectl import kubectl

IMAGES = {"chestxray:test": "serving", "chestxray-loadtest:test": "loadtest"}
# Of the Dockerfile; the lab has a stand-in for it, which cannot have its digest.
PYTHON = re.findall(r"^FROM (\S+)@sha256:", (ROOT / "Dockerfile").read_text(), re.M)[0]
# What the lab's Kubernetes 1.20 does not know yet.
NEWER_FIELDS = (
    "Deployment.matchLabelKeys",
    "PodDisruptionBudget.unhealthyPodEvictionPolicy",
)
_INSTALL_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need an empty cluster come before those that share what `cluster` deploys."""
    items.sort(key=lambda item: "cluster" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[Cluster]:
    """A cluster with the images; a lab cluster is created and deleted afterwards."""
    if os.environ.get("KUBECONFIG"):
        yield Cluster((kubectl(),))
        return
    if not lab_can_run():
        pytest.skip(f"needs KUBECONFIG, or root and {LAB}, which SHARED_DIR may name elsewhere")
    start_lab()
    try:
        for tag, target in IMAGES.items():
            run_lab("build", "-t", tag, "--target", target, str(ROOT))
        run_lab("load", *IMAGES)
        dropped = [word for each in NEWER_FIELDS for word in ("--drop", each)]
        yield Cluster((LAB, "kubectl"), (LAB, "convert", *dropped))
    finally:
        run_lab("down")


def start_lab() -> None:
    """Starts an empty cluster, or skips with the lab's error on machines that cannot run it."""
    try:
        run_lab("install", timeout=_INSTALL_SECONDS)
        run_lab("image-base", PYTHON)
        run_lab("down")
        run_lab("up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the lab cannot run here: {' '.join(error.__notes__)[-500:]}")


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with two ready gateways, no classifier pod, and a client pod."""
    started = time.monotonic()
    bare_cluster.apply(rendered(HERE / "overlay"))
    # A ScaledObject's initial replicas; nothing sets them before a scaler runs.
    bare_cluster.kubectl("scale", "deployment/classifier", "--replicas=0")
    try:
        bare_cluster.roll_out("gateway")
        bare_cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
        report_progress(f"deployed and ready in {time.monotonic() - started:.0f} s")
        yield bare_cluster
    finally:
        if not bare_cluster.convert_command:  # the lab goes as a whole
            bare_cluster.kubectl("delete", "namespace", "chestxray", "--wait=false")
