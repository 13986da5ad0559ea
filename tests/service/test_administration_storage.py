"""An operator's commands on each kind of storage: SQLite with a folder, PostgreSQL with S3."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bentos.administration import (
    encryption_rotation,
    keys,
    migration,
    storage_checks,
    sweeping,
)
from bentos.administration.findings import Level
from bentos.callers.caller import Scope
from bentos.history import orphans
from bentos.history.archive import HEATMAP, IMAGE, name_of
from bentos.history.history import History
from bentos.history.inventory import Inventory
from bentos.history.orphans import Pictures
from bentos.history.reencryption import Progress, Reencryption
from bentos.settings import Settings
from tests import kept

BOTH = f"{kept.NEW_KEY},{kept.OLD_KEY}"
Capture = pytest.CaptureFixture[str]


def of(storage: dict[str, Any], encryption: str = "") -> Settings:
    secrets = {"cookie_secret": SecretStr("c" * 40), "encryption_keys": SecretStr(encryption)}
    return Settings(**storage | secrets)


@pytest.fixture
def settings(storage: dict[str, Any], capsys: Capture) -> Settings:
    """A storage that `chestxray migrate` has prepared."""
    assert asyncio.run(migration.migrate(of(storage))) == 0
    assert "was brought from nothing to version" in capsys.readouterr().out
    assert asyncio.run(migration.migrate(of(storage))) == 0
    assert "the newest" in capsys.readouterr().out
    return of(storage)


def test_keys_are_made_listed_and_ended(settings: Settings, capsys: Capture) -> None:
    limits = dict.fromkeys(("requests_per_minute", "retention_hours", "expires_days"), 3)
    assert asyncio.run(keys.create(settings, "portal", [Scope.ANALYSE], **limits)) == 0
    identifier = capsys.readouterr().out.split("_")[1]

    assert asyncio.run(keys.rotate(settings, identifier, overlap_hours=1)) == 0
    assert asyncio.run(keys.revoke(settings, identifier)) == 0
    assert asyncio.run(keys.rotate(settings, identifier, overlap_hours=1)) == 1
    assert asyncio.run(keys.show(settings, ended=True, as_json=False)) == 0
    assert "revoked (rotating)" in capsys.readouterr().out


def test_orphans_of_both_kinds_are_found_and_deleted(settings: Settings) -> None:
    whole, broken, gone = kept.keep(settings, 3)

    async def damage(history: History) -> Pictures:
        await history.blobs.delete([name_of(broken, IMAGE)])
        await history.records.hide(kept.OWNER, gone)
        await history.records.forget([gone])
        pictures = orphans.of_analyses(Inventory(history.database), history.blobs)
        counted = await pictures.count()
        later = datetime.now(UTC) + timedelta(hours=2)
        assert await pictures.delete(now=later) == 2
        assert not await history.blobs.exists(name_of(gone, HEATMAP))
        return counted

    assert kept.with_history(settings, damage) == Pictures(owned=3, orphaned=2)
    assert asyncio.run(sweeping.check(settings)) == 1
    assert asyncio.run(sweeping.sweep(settings, incomplete=True, force=False)) == 0
    assert asyncio.run(sweeping.check(settings)) == 0
    assert kept.read_all(settings) == kept.all_pictures_of([whole])


def test_pictures_get_the_new_key_beside_deletions(
    settings: Settings, storage: dict[str, Any]
) -> None:
    identifiers = kept.keep(of(storage, kept.OLD_KEY), 20)
    deleted = identifiers[::2]

    async def work(history: History) -> Progress:
        rotation = Reencryption(Inventory(history.database), history.blobs)
        rotating = asyncio.ensure_future(rotation.run())
        for each in deleted:
            assert await history.archive.delete(kept.OWNER, each)
        return await rotating

    progress = kept.with_history(of(storage, BOTH), work)

    assert progress.failed == 0
    assert asyncio.run(encryption_rotation.rotate(of(storage, BOTH))) == 0
    left = kept.all_pictures_of([each for each in identifiers if each not in deleted])
    assert kept.read_all(of(storage, kept.NEW_KEY)) == left
    assert asyncio.run(sweeping.check(settings)) == 0  # nothing has come back


def test_doctor_finds_nothing_wrong(settings: Settings) -> None:
    kept.keep(settings)

    async def main() -> dict[str, Level]:
        return {each.check: each.level async for each in storage_checks.check(settings)}

    found = asyncio.run(main())

    assert found["database"] == found["object store"] == found["encryption"] == Level.OK
    assert set(found.values()) == {Level.OK}


def test_database_without_tables_is_a_fault_or_made_later(storage: dict[str, Any]) -> None:
    async def main() -> Level:
        checks = storage_checks.check(of(storage))
        return next(
            each.level for each in [one async for one in checks] if each.check == "database"
        )

    assert asyncio.run(main()) == (Level.FAULT if "database" in storage else Level.OK)
