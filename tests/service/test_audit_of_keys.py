"""What the commands do to keys is in the audit file."""

import asyncio
import json
from pathlib import Path

import pytest

from bentos.administration import keys
from bentos.callers.caller import Scope
from bentos.settings import Settings


def test_keys_made_rotated_and_revoked_have_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.jsonl"
    settings = Settings(data_folder=str(tmp_path / "data"), audit_file=str(file))

    async def use() -> None:
        limits = {"requests_per_minute": None, "retention_hours": None, "expires_days": None}
        await keys.create(settings, "a hospital", [Scope.ANALYSE], **limits)
        identifier = capsys.readouterr().out.split("_")[1]
        assert await keys.rotate(settings, identifier, overlap_hours=1) == 0
        assert await keys.revoke(settings, identifier) == 0
        assert await keys.revoke(settings, identifier) == 1
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["event"] for line in lines] == ["key.created", "key.rotated", "key.revoked"]
        assert {(line["actor"], line["key"]) for line in lines} == {("operator", identifier)}

    asyncio.run(use())

    assert "a hospital" not in file.read_text()
