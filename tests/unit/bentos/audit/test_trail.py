"""The audit file says who did what, without secrets, and never fails a request."""

import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bentos.audit.trail import OPERATOR, Event, Outcome, Trail
from bentos.logs.lines import request_id
from bentos.metrics import get_metrics

NAME = "0123456789abcdef0123456789abcdef"
"""Of a visitor, as its cookie has it."""


def test_line_has_time_actor_outcome_request_and_gateway(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    token = request_id.set("r-1")
    Trail(str(path)).record(Event.KEPT, "key:00112233", analysis="a1")
    request_id.reset(token)

    (line,) = map(json.loads, path.read_text().splitlines())
    written = datetime.fromisoformat(line.pop("time"))
    assert datetime.now(UTC) - written < timedelta(minutes=1)
    assert line == {
        "event": "analysis.kept",
        "actor": "key:00112233",
        "analysis": "a1",
        "outcome": "success",
        "request_id": "r-1",
        "gateway": socket.gethostname(),
    }


def test_visitor_is_told_by_a_digest_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(str(path))
    for owner in (f"visitor:{NAME}", f"visitor:{NAME}", "visitor:another", ""):
        trail.record(Event.READ, owner, outcome=Outcome.NOT_FOUND, analysis="a1")

    assert NAME not in path.read_text()
    actors = [json.loads(line)["actor"] for line in path.read_text().splitlines()]
    assert actors[0] == actors[1] != actors[2]
    assert all(each.startswith("visitor:") for each in actors[:3])
    assert actors[3] == "unknown"


def test_control_characters_cannot_begin_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Trail(str(path)).record(Event.KEY_CREATED, OPERATOR, key='x\n{"event": "analysis.deleted"}')

    (line,) = path.read_text().splitlines()
    assert json.loads(line)["event"] == "key.created"


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null/nothing"])
def test_file_that_cannot_be_written_is_counted_and_logged_once(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    failures, trail = get_metrics().audit_failures, Trail(path)
    before = failures._value.get()

    with caplog.at_level(logging.WARNING, "bentos"):
        for _ in range(3):
            trail.record(Event.KEPT, "key:00112233", analysis="a1")

    assert failures._value.get() == before + 3
    (line,) = caplog.messages
    assert "audit file cannot be written" in line


def test_file_that_can_be_written_again_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "log"
    trail = Trail(str(folder / "audit.jsonl"))

    with caplog.at_level(logging.WARNING, "bentos"):
        trail.record(Event.KEPT, "key:00112233", analysis="a1")
        folder.mkdir()
        trail.record(Event.KEPT, "key:00112233", analysis="a2")

    assert json.loads((folder / "audit.jsonl").read_text())["analysis"] == "a2"
    assert caplog.messages[-1] == "the audit file can be written again"
