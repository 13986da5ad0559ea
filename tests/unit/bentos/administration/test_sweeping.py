"""`chestxray sweep` deletes what it should, and refuses what looks like a mistake."""

import asyncio
from pathlib import Path

import pytest

from bentos.administration import sweeping
from bentos.history.archive import PARTS
from bentos.history.history import History
from bentos.settings import Settings
from tests import kept

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path / "data"))


def check(settings: Settings) -> int:
    return asyncio.run(sweeping.check(settings))


def sweep(settings: Settings, *, incomplete: bool = False, force: bool = False) -> int:
    return asyncio.run(sweeping.sweep(settings, incomplete=incomplete, force=force))


def forget(settings: Settings, *identifiers: str) -> None:
    """Deletes records, and leaves their pictures, two hours old."""

    async def work(history: History) -> None:
        for each in identifiers:
            await history.records.hide(kept.OWNER, each)
        await history.records.forget(identifiers)

    kept.with_history(settings, work)
    kept.age([kept.file_of(settings, each, part) for each in identifiers for part in PARTS])


def test_check_of_a_store_as_it_should_be_succeeds(settings: Settings) -> None:
    kept.keep(settings, 2)

    assert check(settings) == 0


def test_check_finds_both_kinds_and_deletes_nothing(settings: Settings, capsys: Capture) -> None:
    whole, broken, gone = kept.keep(settings, 3)
    kept.file_of(settings, broken).unlink()
    forget(settings, gone)

    assert check(settings) == 1

    assert capsys.readouterr().out.splitlines() == [
        "pictures with a record: 3",
        "pictures without a record: 2, older than 1 h: 2",
        "visible analyses without their pictures: 1",
        "images with a job: 0",
        "images without a job: 0, older than 1 h: 0",
    ]
    assert kept.file_of(settings, gone).exists()
    assert set(kept.read_all(settings)) == {whole, broken}


def test_sweep_deletes_expired_analyses_and_old_orphans(settings: Settings) -> None:
    whole, gone = kept.keep(settings, 2)
    (expired,) = kept.keep(settings, hours=-1)
    forget(settings, gone)

    assert sweep(settings) == 0

    assert not any(kept.file_of(settings, each).exists() for each in (gone, expired))
    assert kept.read_all(settings) == kept.all_pictures_of([whole])
    assert check(settings) == 0


def test_incomplete_analyses_are_deleted_only_where_wanted(settings: Settings) -> None:
    whole, broken = kept.keep(settings, 2)
    kept.file_of(settings, broken).unlink()

    assert sweep(settings) == 0
    assert check(settings) == 1
    assert sweep(settings, incomplete=True) == 0

    assert check(settings) == 0
    assert kept.read_all(settings) == kept.all_pictures_of([whole])


def test_pictures_of_another_database_are_not_deleted(
    settings: Settings, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_FEW", 2)
    gone = kept.keep(settings, 3)
    (whole,) = kept.keep(settings)
    forget(settings, *gone)

    assert sweep(settings) == 1

    assert "CHESTXRAY_DATABASE" in capsys.readouterr().out
    assert all(kept.file_of(settings, each).exists() for each in gone)
    assert sweep(settings, force=True) == 0
    assert not any(kept.file_of(settings, each).exists() for each in gone)
    assert kept.read_all(settings) == kept.all_pictures_of([whole])
