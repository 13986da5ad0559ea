"""What a process that died has left of a picture is deleted with its record."""

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


def test_data_folder_is_only_for_its_user_also_without_sqlite(tmp_path: Path) -> None:
    from bentos.history.blobs import open_blobs
    from bentos.history.encryption import Keyring

    open_blobs("", data_folder=str(tmp_path / "data"), keyring=Keyring({}))

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
