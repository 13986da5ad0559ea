"""The load test runs against a real server and sees no failure."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.service.server import Server


def test_every_user_is_answered(server: Server, tmp_path: Path) -> None:
    locustfile = ROOT / "loadtests" / "locustfile.py"
    command = ["-m", "locust", "-f", locustfile, "--host", server.url, "--headless", "--json"]
    load = ["--users", "5", "--spawn-rate", "5", "--run-time", "6s"]

    done = subprocess.run(
        [sys.executable, *command, *load], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"/v1/analyses", "/v1/analyses/batch"}
    assert all(row["num_requests"] > 0 and row["num_failures"] == 0 for row in rows.values())
