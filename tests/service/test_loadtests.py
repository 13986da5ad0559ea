"""The load tests run against a running server and evaluate it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.load_generator import free_port
from tests.conftest import ROOT
from tests.service.server import Server

LENIENT = """
warm_up_seconds = 1
window_seconds = 4
fewest_requests = 1
[routes."/v1/analyses"]
p50_ms = {milliseconds}
p95_ms = 60000
p99_ms = 60000
error_rate = 0.0
shed_rate = 1.0
"""


def run_locust(
    url: str, folder: Path, *flags: str, milliseconds: int = 60000
) -> tuple[int, dict[str, Any]]:
    """Runs Locust for some seconds; returns its exit code and its report."""
    (folder / "objectives.toml").write_text(LENIENT.format(milliseconds=milliseconds))
    load = ["--users", "5", "--spawn-rate", "5", "--run-time", "10s", "--headless"]
    files = ["--objectives", folder / "objectives.toml", "--report", folder / "report"]
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--host", url]
    images = ["--images", ROOT / "web" / "examples"]  # at hand at once
    done = subprocess.run(
        [*command, *images, *load, *files, "--only-summary", *flags],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (folder / "report" / "verdict.json").exists(), done.stderr
    return done.returncode, json.loads((folder / "report" / "verdict.json").read_text())


def test_load_test_exits_with_0_when_the_objectives_are_met(server: Server, tmp_path: Path) -> None:
    code, report = run_locust(server.url, tmp_path)

    assert (code, report["verdict"]) in ((0, "met"), (2, "the generator was too slow to tell"))
    assert report["windows"][0]["/v1/analyses"]["requests"] > 0
    assert report["windows"][0]["/v1/analyses"]["error_rate"] == 0
    assert "classifier pod" in report["advice"]
    assert "analyses/batch" in (tmp_path / "report" / "report.html").read_text()
    assert "p99_ms" in (tmp_path / "report" / "junit.xml").read_text()


def test_load_test_exits_with_1_when_an_objective_is_missed(server: Server, tmp_path: Path) -> None:
    code, report = run_locust(server.url, tmp_path, milliseconds=1)

    assert (code, report["verdict"]) in ((1, "missed"), (2, "the generator was too slow to tell"))
    found, bound = report["windows"][0]["/v1/analyses"]["missed"]["p50_ms"]
    assert found > bound == 1


def test_load_test_exits_with_3_when_the_server_is_unreachable(tmp_path: Path) -> None:
    code, report = run_locust(f"http://127.0.0.1:{free_port()}", tmp_path)

    assert (code, report["verdict"]) == (3, "unreachable")


@pytest.mark.parametrize("processes", ["2"])
def test_load_test_with_several_processes_reports_all_requests(
    server: Server, tmp_path: Path, processes: str
) -> None:
    code, report = run_locust(server.url, tmp_path, "--processes", processes)

    assert code in (0, 2)
    assert sum(window["/v1/analyses"]["requests"] for window in report["windows"]) > 0
