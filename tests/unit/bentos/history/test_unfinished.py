"""What a process that died has left of a picture is deleted with its record."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bentos.history.archive import IMAGE
from bentos.history.history import History
from bentos.settings import Settings
from tests import kept


def test_half_written_picture_of_a_dead_process_is_swept(tmp_path: Path) -> None:
    settings = Settings(data_folder=str(tmp_path / "data"))
    record = kept.record()
    (identifier,) = kept.keep(settings)
    # As obstore names a file until it is complete; a list has no such names.
    half = kept.file_of(settings, record.id).with_name(f"{record.id}.{IMAGE}#1")

    async def die(history: History) -> None:
        await history.records.add(record)
        half.parent.mkdir(exist_ok=True)
        half.write_bytes(b"half of a patient's film")

    async def sweep(history: History) -> int:
        later = datetime.now(UTC) + timedelta(hours=1)
        claimed = await history.records.claim(10, now=later)
        await history.archive._finish(claimed)
        return len(claimed)

    kept.with_history(settings, die)
    assert kept.with_history(settings, sweep) == 1

    assert not half.exists()
    assert kept.read(settings, identifier) == kept.pictures_of(identifier)


def test_write_that_goes_on_after_its_cancellation_leaves_nothing(tmp_path: Path) -> None:
    settings = Settings(data_folder=str(tmp_path / "data"))
    record = kept.record()

    async def keep_and_leave(history: History) -> int:
        put, begun, late = history.blobs.put, asyncio.Event(), []

        async def put_slowly(name: str, data: bytes) -> None:
            begun.set()
            late.append((name, data))
            await asyncio.sleep(60)

        history.blobs.put = put_slowly  # type: ignore[method-assign]
        keeping = asyncio.ensure_future(history.archive.keep(record, kept.pictures_of(record.id)))
        await begun.wait()
        keeping.cancel()
        await asyncio.wait([keeping])
        await history.archive.sweep()
        for name, data in late:
            await put(name, data)
        later = datetime.now(UTC) + timedelta(minutes=2)
        claimed = await history.records.claim(10, now=later)
        await history.archive._finish(claimed)
        return len(claimed)

    assert kept.with_history(settings, keep_and_leave) == 1

    assert not [each for each in (tmp_path / "data" / "pictures").rglob("*.*")]


def test_data_folder_is_only_for_its_user_also_without_sqlite(tmp_path: Path) -> None:
    from bentos.history.blobs import open_blobs
    from bentos.history.encryption import Keyring

    open_blobs("", data_folder=str(tmp_path / "data"), keyring=Keyring({}), part="pictures")

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
