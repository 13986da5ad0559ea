"""The time of quotas that are counted in memory, whose windows are minutes of the clock."""

from types import SimpleNamespace

import pytest

START = 1_800_000_000.0
"""A minute begins."""


class Clock:
    """Stands still, as no test may happen to begin in one minute and end in the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        frozen = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr("limits.aio.storage.memory.time", frozen)
        monkeypatch.setattr("bentos.callers.quota_store.time", frozen)
