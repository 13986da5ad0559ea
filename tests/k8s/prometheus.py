"""A running Prometheus that scrapes programs like pods."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from loadtests.load_generator import free_port
from tests.conftest import ROOT

PLAIN = ROOT / "k8s/monitoring-plain"
_START_SECONDS = 60.0
_EVERY = "1s"
"""Scrape and evaluation interval, short so that tests need not wait for minutes."""


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of a running Prometheus."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that answer a query. Raises AssertionError if the query is invalid."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        assert answer["data"]["resultType"] == "vector", expression
        return list(answer["data"]["result"])

    def numbers(self, expression: str) -> list[float]:
        """The values that answer a query, without NaN."""
        values = [float(sample["value"][1]) for sample in self.query(expression)]
        return [value for value in values if value == value]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        groups = httpx.get(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def run_prometheus(
    addresses: Mapping[str, str], folder: Path, program: str
) -> Iterator[Prometheus]:
    """Starts a Prometheus with our configuration and rules, and stops it by its pid.

    It scrapes one pod of each workload, by its name.
    """
    configuration = _configure(addresses, folder)
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _ready(Prometheus(f"http://127.0.0.1:{port}"), process, folder)
    finally:
        process.terminate()
        process.wait(30)


def _target(workload: str, address: str) -> dict[str, Any]:
    """A target with the labels that Kubernetes discovery would add."""
    pod = {
        "namespace": "chestxray",
        "pod_name": f"{workload}-0",
        "pod_phase": "Running",
        "pod_container_name": workload,
        "pod_container_port_name": "http",
        "pod_label_app_kubernetes_io_name": workload,
        "pod_label_app_kubernetes_io_part_of": "chestxray",
    }
    labels = {f"__meta_kubernetes_{name}": value for name, value in pod.items()}
    return {"targets": [address], "labels": labels}


def _configure(addresses: Mapping[str, str], folder: Path) -> Path:
    configuration = yaml.safe_load((PLAIN / "prometheus.yml").read_text())
    rules = yaml.safe_load((PLAIN / "rules.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = _EVERY
    [job] = [job for job in configuration["scrape_configs"] if job["job_name"] == "chestxray"]
    configuration["scrape_configs"] = [job]
    del job["kubernetes_sd_configs"]
    job |= {"static_configs": [_target(*each) for each in addresses.items()]}
    job |= {"scrape_interval": _EVERY, "scrape_timeout": _EVERY}
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def _ready(prometheus: Prometheus, process: "subprocess.Popen[bytes]", folder: Path) -> Prometheus:
    stop = time.monotonic() + _START_SECONDS
    while time.monotonic() < stop and process.poll() is None:
        try:
            if httpx.get(f"{prometheus.url}/-/ready").status_code == 200:
                return prometheus
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"Prometheus did not get ready:\n{(folder / 'prometheus.log').read_text()}")
