"""The cluster with the service in it, once for all tests of this folder."""

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
    lab,
    lab_can_run,
    rendered,
    say,
)
from tests.conftest import ROOT
from tools.kubectl import kubectl

IMAGES = {"chestxray:test": "serving", "chestxray-loadtest:test": "loadtest"}
# Of the Dockerfile; the lab has a stand-in for it, which cannot have its digest.
PYTHON = re.findall(r"^FROM (\S+)@sha256:", (ROOT / "Dockerfile").read_text(), re.M)[0]
_INSTALL_SECONDS = 1200


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[Cluster]:
    """A cluster that has the images; the lab's is new, and gone afterwards."""
    if os.environ.get("KUBECONFIG"):
        yield Cluster((kubectl(),))
        return
    if not lab_can_run():
        pytest.skip(f"needs KUBECONFIG, or root and {LAB}, which SHARED_DIR may name elsewhere")
    start_lab()
    try:
        for tag, target in IMAGES.items():
            lab("build", "-t", tag, "--target", target, str(ROOT))
        lab("load", *IMAGES)
        yield Cluster((LAB, "kubectl"), (LAB, "convert"))
    finally:
        lab("down")


def start_lab() -> None:
    """Brings up an empty cluster, or skips with what the lab said: not every machine can."""
    try:
        lab("install", timeout=_INSTALL_SECONDS)
        lab("image-base", PYTHON)
        lab("down")
        lab("up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the lab cannot run here: {' '.join(error.__notes__)[-500:]}")


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with two gateways that are ready, no classifier pod, and a client."""
    started = time.monotonic()
    bare_cluster.apply(rendered(HERE / "overlay"))
    # A ScaledObject's initial replicas; nothing sets them before a scaler runs.
    bare_cluster.kubectl("scale", "deployment/classifier", "--replicas=0")
    try:
        bare_cluster.roll_out("gateway")
        bare_cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
        say(f"deployed and ready in {time.monotonic() - started:.0f} s")
        yield bare_cluster
    finally:
        if not bare_cluster.convert_command:  # the lab goes as a whole
            bare_cluster.kubectl("delete", "namespace", "chestxray", "--wait=false")
