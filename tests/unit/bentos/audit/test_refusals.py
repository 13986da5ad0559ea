"""Strangers who are refused cannot fill the audit file, and are all counted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bentos.audit import refusals
from bentos.audit.refusals import LINES, SECONDS, Refusals
from bentos.audit.trail import Event, Outcome, Trail
from bentos.metrics import get_metrics
from tests.unit.bentos.admission.clock import Clock

MANY = 1000


def refuse(trail: Trail, times: int, owner: str = "") -> None:
    for _ in range(times):
        trail.record(Event.REFUSED, owner, outcome=Outcome.REFUSED, reason="unknown-key")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counted(found: list[dict[str, Any]]) -> int:
    """The refusals that lines tell of."""
    return sum(each.get("left_out", 1) for each in found)


def test_flood_of_strangers_is_a_bounded_number_of_lines_with_the_number_of_the_others(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "audit.jsonl", Clock()
    trail = Trail(str(path), Refusals(clock))

    refuse(trail, MANY)
    clock.now += SECONDS
    refuse(trail, 1)

    found = lines(path)
    assert len(found) == LINES + 2
    assert counted(found) == MANY + 1
    about = {name: found[LINES][name] for name in ("event", "actor", "outcome", "seconds")}
    assert about == {
        "event": "authentication.refused",
        "actor": "unknown",
        "outcome": "refused",
        "seconds": SECONDS,
    }


def test_flood_hides_no_refusal_of_a_key_and_no_other_event(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(str(path))

    refuse(trail, MANY)
    refuse(trail, 1, "key:00112233")
    trail.record(Event.READ, "key:00112233", analysis="a1")

    assert [each["event"] for each in lines(path) if each["actor"] == "key:00112233"] == [
        "authentication.refused",
        "analysis.read",
    ]


def test_visitors_with_ever_new_cookies_share_one_bound(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(str(path))

    for number in range(MANY):
        refuse(trail, 1, f"visitor:{number}")

    assert len(lines(path)) == LINES


def test_number_of_what_was_left_out_is_written_without_a_further_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "SECONDS", 0.2)
    path = tmp_path / "audit.jsonl"

    async def flood() -> None:
        refuse(Trail(str(path)), MANY)
        async with asyncio.timeout(10):
            while counted(lines(path)) < MANY:
                await asyncio.sleep(0.02)

    asyncio.run(flood())

    assert len(lines(path)) == LINES + 1


def test_end_of_a_process_writes_the_number(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(str(path))
    refuse(trail, MANY)

    trail.close()
    trail.close()

    assert counted(lines(path)) == MANY


def test_lines_that_are_left_out_are_no_failures(tmp_path: Path) -> None:
    failures = get_metrics().audit_failures
    before = failures._value.get()

    refuse(Trail(str(tmp_path / "audit.jsonl")), MANY)

    assert failures._value.get() == before
