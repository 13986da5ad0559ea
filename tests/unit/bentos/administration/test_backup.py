"""A backup of a store in use, by the order of docs/operations.md, is complete when restored."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bentos.administration import sweeping
from bentos.database.database import FILE
from bentos.history.history import History
from bentos.settings import Settings
from tests import kept
from tests.conftest import ROOT

STATEMENT = "VACUUM INTO"


def test_backup_of_a_live_store_is_restored_without_a_gap(tmp_path: Path) -> None:
    live, backup, restored = (tmp_path / name for name in ("live", "backup", "restored"))
    settings = Settings(data_folder=str(live))
    lasting = kept.keep(settings, 20)
    deleted_in_between = kept.keep(settings, 5)

    async def work(history: History) -> set[str]:
        """Keeps and deletes without pause while the backup is made."""
        stop, kept_meanwhile = asyncio.Event(), list[str]()

        async def use() -> None:
            while not stop.is_set():
                record = kept.record()
                await history.archive.keep(record, kept.pictures_of(record.id))
                kept_meanwhile.append(record.id)
                if len(kept_meanwhile) % 2:
                    await history.archive.delete(kept.OWNER, record.id)

        using = asyncio.ensure_future(use())
        await until_kept(kept_meanwhile, 5)
        backup.mkdir()
        await asyncio.to_thread(back_up_database, live, backup)
        for each in deleted_in_between:
            assert await history.archive.delete(kept.OWNER, each)
        await until_kept(kept_meanwhile, len(kept_meanwhile) + 5)
        await asyncio.to_thread(back_up_pictures, live, backup)
        stop.set()
        await using
        return set(kept_meanwhile)

    kept_meanwhile = kept.with_history(settings, work)
    shutil.copytree(backup, restored)
    again = Settings(data_folder=str(restored))
    kept.age(list((restored / "pictures").rglob("*.*")))

    assert asyncio.run(sweeping.check(again)) == 1
    assert asyncio.run(sweeping.sweep(again, incomplete=True, force=False)) == 0
    assert asyncio.run(sweeping.check(again)) == 0

    found = kept.read_all(again)
    assert found == kept.all_pictures_of(list(found))
    assert set(lasting) <= set(found) <= set(lasting) | kept_meanwhile
    assert len(found) > len(lasting)


def test_documented_command_is_the_one_that_is_tested() -> None:
    assert STATEMENT in (ROOT / "docs/operations.md").read_text()


async def until_kept(identifiers: list[str], count: int) -> None:
    async with asyncio.timeout(60):
        while len(identifiers) < count:
            await asyncio.sleep(0.01)


def back_up_database(live: Path, backup: Path) -> None:
    database = sqlite3.connect(live / FILE)
    database.execute(f"{STATEMENT} '{backup / FILE}'")
    database.close()


def back_up_pictures(live: Path, backup: Path) -> None:
    """As rsync copies: what vanishes meanwhile is left out."""
    for file in pictures(live):
        copy = backup / file.relative_to(live)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy2(file, copy)


def pictures(live: Path) -> Iterator[Path]:
    for file in list((live / "pictures").rglob("*")):
        if "#" not in file.name and not file.is_dir():
            yield file
