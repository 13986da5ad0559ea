"""Pictures are encrypted anew while the service runs, and whatever dies in between."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bentos.administration import encryption_rotation
from bentos.database.database import FILE
from bentos.database.errors import StorageUnavailable
from bentos.history.archive import IMAGE, PARTS
from bentos.history.history import History
from bentos.history.inventory import Inventory
from bentos.history.reencryption import Progress, Reencryption
from bentos.jobs.intake import Intake
from bentos.jobs.queue import JobQueue
from bentos.settings import Settings
from tests import kept
from tests.conftest import ROOT

BOTH = f"{kept.NEW_KEY},{kept.OLD_KEY}"


def settings(folder: Path, keys: str = "") -> Settings:
    return Settings(data_folder=str(folder / "data"), encryption_keys=SecretStr(keys))


def rotated(chosen: Settings, **replaced: Any) -> Progress:
    async def work(history: History) -> Progress:
        for name, value in replaced.items():
            setattr(history.blobs, name, value(history))
        return await Reencryption(Inventory(history.database), history.blobs).run()

    return kept.with_history(chosen, work)


def keys_of(chosen: Settings) -> dict[str, int]:
    return kept.with_history(chosen, lambda history: Inventory(history.database).encryption_keys())


@pytest.mark.parametrize("before", ["", kept.OLD_KEY], ids=["in the clear", "under the old key"])
def test_pictures_need_only_the_new_key_afterwards(tmp_path: Path, before: str) -> None:
    identifiers = kept.keep(settings(tmp_path, before), 3)

    assert rotated(settings(tmp_path, BOTH)) == Progress(done=3)

    only_new = settings(tmp_path, kept.NEW_KEY)
    assert keys_of(only_new) == {"new": 3}
    for each in identifiers:
        assert kept.read(only_new, each) == kept.pictures_of(each)
        assert b"PNG" not in kept.file_of(only_new, each).read_bytes()
    assert rotated(settings(tmp_path, BOTH)) == Progress()


def test_pictures_under_a_key_that_is_not_configured_keep_it(tmp_path: Path) -> None:
    (lost,) = kept.keep(settings(tmp_path, kept.OLD_KEY))
    (clear,) = kept.keep(settings(tmp_path))

    assert rotated(settings(tmp_path, kept.NEW_KEY)) == Progress(done=1, failed=1)

    assert keys_of(settings(tmp_path)) == {"old": 1, "new": 1}
    assert kept.read(settings(tmp_path, BOTH), lost) == kept.pictures_of(lost)
    assert kept.read(settings(tmp_path, BOTH), clear) == kept.pictures_of(clear)


def test_record_without_a_picture_fails_and_stops_nothing(tmp_path: Path) -> None:
    broken, whole = kept.keep(settings(tmp_path), 2)
    kept.file_of(settings(tmp_path), broken).unlink()

    assert rotated(settings(tmp_path, BOTH)) == Progress(done=1, failed=1)

    assert kept.read(settings(tmp_path, BOTH), whole) == kept.pictures_of(whole)


def test_picture_deleted_meanwhile_is_no_error_and_does_not_come_back(tmp_path: Path) -> None:
    (identifier,) = kept.keep(settings(tmp_path))

    def deleting(history: History) -> Any:
        get = history.blobs.get

        async def get_then_delete(name: str, *, encrypted: bool) -> bytes | None:
            data = await get(name, encrypted=encrypted)
            await history.archive.delete(kept.OWNER, identifier)
            return data

        return get_then_delete

    assert rotated(settings(tmp_path, BOTH), get=deleting) == Progress(deleted=1)

    assert not any(kept.file_of(settings(tmp_path), identifier, part).exists() for part in PARTS)


def test_deletion_during_a_write_waits_for_it(tmp_path: Path) -> None:
    (identifier,) = kept.keep(settings(tmp_path))
    deletions: list[asyncio.Task[bool]] = []

    def slow(history: History) -> Any:
        put = history.blobs.put

        async def put_slowly(name: str, data: bytes) -> None:
            if not deletions:
                deletion = history.archive.delete(kept.OWNER, identifier)
                deletions.append(asyncio.ensure_future(deletion))
            await asyncio.sleep(0.3)
            assert not deletions[0].done()
            await put(name, data)

        return put_slowly

    async def work(history: History) -> Progress:
        history.blobs.put = slow(history)  # type: ignore[method-assign]
        progress = await Reencryption(Inventory(history.database), history.blobs).run()
        assert await deletions[0]
        return progress

    assert kept.with_history(settings(tmp_path, BOTH), work) == Progress(done=1)

    assert not any(kept.file_of(settings(tmp_path), identifier, part).exists() for part in PARTS)


@pytest.mark.parametrize("before", ["", kept.OLD_KEY], ids=["in the clear", "under the old key"])
def test_failure_between_two_pictures_leaves_both_readable(tmp_path: Path, before: str) -> None:
    (identifier,) = kept.keep(settings(tmp_path, before))

    def failing(history: History) -> Any:
        put = history.blobs.put

        async def put_images_only(name: str, data: bytes) -> None:
            if not name.endswith(IMAGE):
                raise StorageUnavailable("the disk is full")
            await put(name, data)

        return put_images_only

    with pytest.raises(StorageUnavailable, match="full"):
        rotated(settings(tmp_path, BOTH), put=failing)

    assert kept.read(settings(tmp_path, BOTH), identifier) == kept.pictures_of(identifier)
    assert rotated(settings(tmp_path, BOTH)) == Progress(done=1)
    assert kept.read(settings(tmp_path, kept.NEW_KEY), identifier) == kept.pictures_of(identifier)


def test_cancelled_run_ends_after_the_record_in_work(tmp_path: Path) -> None:
    (identifier,) = kept.keep(settings(tmp_path))

    async def work(history: History) -> None:
        put, begun = history.blobs.put, asyncio.Event()

        async def put_slowly(name: str, data: bytes) -> None:
            begun.set()
            await asyncio.sleep(0.2)
            await put(name, data)

        history.blobs.put = put_slowly  # type: ignore[method-assign]
        run = Reencryption(Inventory(history.database), history.blobs).run()
        task = asyncio.ensure_future(run)
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Inventory(history.database).encryption_keys() == {"new": 1}

    kept.with_history(settings(tmp_path, BOTH), work)

    assert kept.read(settings(tmp_path, kept.NEW_KEY), identifier) == kept.pictures_of(identifier)


@pytest.mark.slow
def test_killed_again_and_again_it_loses_nothing(tmp_path: Path) -> None:
    identifiers = kept.keep(settings(tmp_path), 80)
    environment = os.environ | {
        "CHESTXRAY_DATA_FOLDER": str(tmp_path / "data"),
        "CHESTXRAY_ENCRYPTION_KEYS": BOTH,
    }
    command = [sys.executable, "-m", "bentos.cli", "rotate-encryption"]
    counts = [0]
    while counts[-1] < len(identifiers) and len(counts) < 20:
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None and replaced(tmp_path) < counts[-1] + 20:
                time.sleep(0.002)
            run.send_signal(signal.SIGKILL)
        counts.append(replaced(tmp_path))
        assert kept.read_all(settings(tmp_path, BOTH)) == kept.all_pictures_of(identifiers)

    assert counts[-1] == len(identifiers)
    assert len(counts) > 3  # it was killed before its end
    assert kept.read_all(settings(tmp_path, kept.NEW_KEY)) == kept.all_pictures_of(identifiers)


def replaced(folder: Path) -> int:
    """How many records name the new key."""
    database = sqlite3.connect(folder / "data" / FILE)
    try:
        (count,) = database.execute(
            "SELECT count(*) FROM analyses WHERE encryption_key = 'new'"
        ).fetchone()
    finally:
        database.close()
    return int(count)


def test_job_whose_images_wait_under_the_old_key_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(history: History) -> None:
        intake = Intake(JobQueue(history.database), history.job_images, lambda _: {})
        await intake.begin(kept.OWNER, "night", heatmap="none", lasts=timedelta(hours=1))

    kept.with_history(settings(tmp_path, kept.OLD_KEY), work)

    assert asyncio.run(encryption_rotation.rotate(settings(tmp_path, BOTH))) == 1
    assert "until they end: 1" in capsys.readouterr().err
    assert asyncio.run(encryption_rotation.rotate(settings(tmp_path, kept.OLD_KEY))) == 0
