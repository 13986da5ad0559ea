"""The load tests run against a real server and judge it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.measuring import free_port
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


def locust(
    url: str, folder: Path, *flags: str, milliseconds: int = 60000
) -> tuple[int, dict[str, Any]]:
    """Runs it for some seconds; returns its exit code and its report."""
    (folder / "objectives.toml").write_text(LENIENT.format(milliseconds=milliseconds))
    load = ["--users", "5", "--spawn-rate", "5", "--run-time", "10s", "--headless"]
    files = ["--objectives", folder / "objectives.toml", "--report", folder / "report.json"]
    html = ["--html", folder / "report.html", "--only-summary"]
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--host", url]
    images = ["--images", ROOT / "web" / "examples"]  # at hand at once
    done = subprocess.run(
        [*command, *images, *load, *files, *html, *flags],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (folder / "report.json").exists(), done.stderr
    return done.returncode, json.loads((folder / "report.json").read_text())


def test_well_served_users_end_with_0(server: Server, tmp_path: Path) -> None:
    code, report = locust(server.url, tmp_path)

    assert (code, report["verdict"]) in ((0, "met"), (2, "the generator was too slow to tell"))
    assert report["windows"][0]["/v1/analyses"]["requests"] > 0
    assert report["windows"][0]["/v1/analyses"]["error_rate"] == 0
    assert "analyses/batch" in (tmp_path / "report.html").read_text()


def test_objective_that_is_missed_ends_with_1(server: Server, tmp_path: Path) -> None:
    code, report = locust(server.url, tmp_path, milliseconds=1)

    assert (code, report["verdict"]) in ((1, "missed"), (2, "the generator was too slow to tell"))
    found, bound = report["windows"][0]["/v1/analyses"]["missed"]["p50_ms"]
    assert found > bound == 1


def test_nobody_who_answers_ends_with_3(tmp_path: Path) -> None:
    code, report = locust(f"http://127.0.0.1:{free_port()}", tmp_path)

    assert (code, report["verdict"]) == (3, "unreachable")


@pytest.mark.parametrize("processes", ["2"])
def test_workers_report_to_a_master_that_judges(
    server: Server, tmp_path: Path, processes: str
) -> None:
    code, report = locust(server.url, tmp_path, "--processes", processes)

    assert code in (0, 2)
    assert sum(window["/v1/analyses"]["requests"] for window in report["windows"]) > 0
