"""API keys are shown once, listed without secrets, ended and rotated."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bentos.administration import keys, opening
from bentos.callers import api_keys
from bentos.callers.api_keys import ApiKeys
from bentos.callers.caller import Scope
from bentos.settings import Settings

T = TypeVar("T")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path / "data"))


def create(settings: Settings, name: str = "portal", **values: Any) -> None:
    limits = dict.fromkeys(("requests_per_minute", "retention_hours", "expires_days")) | values
    assert asyncio.run(keys.create(settings, name, [Scope.ANALYSE, Scope.HISTORY], **limits)) == 0


def listed(settings: Settings, capsys: Capture, *, ended: bool = False) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert asyncio.run(keys.show(settings, ended=ended, as_json=True)) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def with_keys(settings: Settings, work: Callable[[ApiKeys], Awaitable[T]]) -> T:
    async def main() -> T:
        async with opening.database(settings) as database:
            return await work(ApiKeys(database))

    return asyncio.run(main())


def opens(settings: Settings, text: str, *, now: datetime | None = None) -> bool:
    parsed = api_keys.parse(text)
    assert parsed
    key = with_keys(settings, lambda table: table.get(parsed[0]))
    assert key
    return key.opens(parsed[1], now=now or datetime.now(UTC))


def test_new_key_is_all_of_standard_output_and_opens(settings: Settings, capsys: Capture) -> None:
    create(settings)

    out, said = capsys.readouterr()
    assert opens(settings, out.strip())
    assert out.count("\n") == 1
    assert "shown only now" in said
    assert out.strip() not in said


def test_limits_of_a_key_are_kept(settings: Settings, capsys: Capture) -> None:
    create(settings, requests_per_minute=5, retention_hours=72, expires_days=2)

    text = capsys.readouterr().out.strip()
    (key,) = listed(settings, capsys)
    assert key["scopes"] == ["analyse", "history"]
    assert (key["requests_per_minute"], key["retention_hours"], key["state"]) == (5, 72, "valid")
    assert opens(settings, text)
    assert not opens(settings, text, now=datetime.now(UTC) + timedelta(days=2, minutes=1))


@pytest.mark.parametrize("as_json", [True, False])
def test_list_has_neither_secret_nor_digest(
    settings: Settings, capsys: Capture, as_json: bool
) -> None:
    create(settings)
    secret = capsys.readouterr().out.strip().split("_", 2)[2]
    (key,) = with_keys(settings, lambda table: table.list())

    asyncio.run(keys.show(settings, ended=True, as_json=as_json))

    out = capsys.readouterr().out
    assert key.id in out and "portal" in out
    assert secret not in out and key.digest not in out and "digest" not in out


def test_revoked_and_expired_keys_are_listed_only_where_wanted(
    settings: Settings, capsys: Capture
) -> None:
    for name in ("valid", "revoked"):
        create(settings, name)
    revoked = next(each for each in listed(settings, capsys) if each["name"] == "revoked")

    async def expire(table: ApiKeys) -> None:
        await table.create("expired", [Scope.ANALYSE], lifetime=timedelta(microseconds=1))

    with_keys(settings, expire)

    assert asyncio.run(keys.revoke(settings, revoked["id"])) == 0
    assert asyncio.run(keys.revoke(settings, revoked["id"])) == 1
    assert [each["name"] for each in listed(settings, capsys)] == ["valid"]
    states = {each["name"]: each["state"] for each in listed(settings, capsys, ended=True)}
    assert states == {"valid": "valid", "revoked": "revoked", "expired": "expired"}


def test_old_secret_is_valid_until_the_end_of_the_overlap(
    settings: Settings, capsys: Capture
) -> None:
    create(settings)
    old = capsys.readouterr().out.strip()
    identifier = api_keys.parse(old)[0]  # type: ignore[index]

    assert asyncio.run(keys.rotate(settings, identifier, overlap_hours=3)) == 0

    new = capsys.readouterr().out.strip()
    later = datetime.now(UTC) + timedelta(hours=3, minutes=1)
    assert new != old
    assert opens(settings, new) and opens(settings, old)
    assert opens(settings, new, now=later) and not opens(settings, old, now=later)
    (key,) = listed(settings, capsys)
    assert key["previous_secret_until"]


def test_key_without_overlap_is_replaced_at_once(settings: Settings, capsys: Capture) -> None:
    create(settings)
    old = capsys.readouterr().out.strip()

    asyncio.run(keys.rotate(settings, old.split("_")[1], overlap_hours=0))

    assert not opens(settings, old)
    assert opens(settings, capsys.readouterr().out.strip())


def test_key_that_has_ended_is_not_rotated(settings: Settings, capsys: Capture) -> None:
    create(settings)
    identifier = capsys.readouterr().out.split("_")[1]
    asyncio.run(keys.revoke(settings, identifier))
    expired, _ = with_keys(
        settings,
        lambda table: table.create("old", [Scope.ANALYSE], lifetime=timedelta(microseconds=1)),
    )
    capsys.readouterr()

    for each, reason in (
        (identifier, "not revoked"),
        (expired.id, "expired"),
        ("f" * 16, "no key"),
    ):
        assert asyncio.run(keys.rotate(settings, each, overlap_hours=1)) == 1
        out, said = capsys.readouterr()
        assert out == "" and reason in said
