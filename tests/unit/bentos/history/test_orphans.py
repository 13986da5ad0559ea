"""Pictures without a record, and records without their pictures, are found, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bentos.history import orphans
from bentos.history.archive import HEATMAP, IMAGE, PARTS
from bentos.history.history import History
from bentos.history.inventory import Inventory
from bentos.history.orphans import Orphans, Pictures
from bentos.jobs import deletion
from bentos.jobs.intake import Intake
from bentos.jobs.job import Job
from bentos.jobs.queue import JobQueue
from bentos.settings import Settings
from chestxray.errors import RejectedImage
from tests import kept


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path / "data"))


def of(history: History) -> Orphans:
    return orphans.of_analyses(Inventory(history.database), history.blobs)


def incomplete_of(history: History) -> AsyncIterator[list[str]]:
    return orphans.incomplete_records(Inventory(history.database), history.blobs)


def counted(settings: Settings) -> Pictures:
    async def work(history: History) -> Pictures:
        return await of(history).count()

    return kept.with_history(settings, work)


def incomplete(settings: Settings) -> set[str]:
    async def work(history: History) -> set[str]:
        return {each async for some in incomplete_of(history) for each in some}

    return kept.with_history(settings, work)


def deleted(settings: Settings) -> int:
    async def work(history: History) -> int:
        return await of(history).delete()

    return kept.with_history(settings, work)


def forget(settings: Settings, identifier: str) -> None:
    """Deletes a record, and leaves its pictures."""

    async def work(history: History) -> None:
        await history.records.hide(kept.OWNER, identifier)
        await history.records.forget([identifier])

    kept.with_history(settings, work)


def test_store_as_it_should_be_has_none(settings: Settings) -> None:
    kept.keep(settings, 5)

    assert counted(settings) == Pictures(owned=10)
    assert incomplete(settings) == set()


def test_only_old_pictures_without_a_record_are_deleted(settings: Settings) -> None:
    whole, old, young = kept.keep(settings, 3)
    forget(settings, old)
    forget(settings, young)
    kept.age([kept.file_of(settings, each, part) for each in (whole, old) for part in PARTS])

    assert counted(settings) == Pictures(owned=2, orphaned=4, old=2)
    assert deleted(settings) == 2
    assert counted(settings) == Pictures(owned=2, orphaned=2)
    assert kept.read(settings, whole) == kept.pictures_of(whole)
    assert kept.file_of(settings, young).exists()


def test_foreign_files_are_neither_counted_nor_deleted(settings: Settings) -> None:
    (identifier,) = kept.keep(settings)
    folder = Path(settings.data_folder) / "pictures"
    foreign = [folder / "README", folder / identifier[:2] / f"{'f' * 32}.thumbnail"]
    for each in foreign:
        each.write_text("another program's")
    kept.age(foreign)

    assert counted(settings) == Pictures(owned=2)
    assert deleted(settings) == 0
    assert all(each.exists() for each in foreign)


@pytest.mark.parametrize("part", [IMAGE, HEATMAP])
def test_visible_record_without_a_picture_is_found(settings: Settings, part: str) -> None:
    _, broken = kept.keep(settings, 2)
    kept.file_of(settings, broken, part).unlink()

    assert incomplete(settings) == {broken}


def test_hidden_and_expired_records_may_lack_their_pictures(settings: Settings) -> None:
    (hidden,) = kept.keep(settings)
    (expired,) = kept.keep(settings, hours=-1)
    for each in (hidden, expired):
        kept.file_of(settings, each).unlink()
    kept.with_history(settings, lambda history: history.archive.delete_all(kept.OWNER))

    assert incomplete(settings) == set()


def test_more_records_than_one_page_are_compared(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bentos.history.inventory._PAGE", 3)
    monkeypatch.setattr("bentos.history.blobs._LIST_CHUNK", 4)
    identifiers = kept.keep(settings, 20)
    broken = {identifiers[3], identifiers[17]}
    for each in broken:
        kept.file_of(settings, each).unlink()

    assert counted(settings) == Pictures(owned=38)
    assert incomplete(settings) == broken


Change = Callable[[History], Awaitable[object]]


def during(settings: Settings, name: str, change: Change) -> tuple[Pictures, set[str]]:
    """Counts while something changes the store, right after the pictures were listed."""

    async def work(history: History) -> tuple[Pictures, set[str]]:
        listed, changed = history.blobs.listed, False

        async def listed_before(folder: str | None = None) -> object:
            nonlocal changed
            chunks = [chunk async for chunk in listed(folder)]
            if not changed:
                changed = True
                await change(history)
            for chunk in chunks:
                yield chunk

        setattr(history.blobs, "listed", listed_before)  # noqa: B010, mypy refuses the other way
        if name == "pictures":
            return await of(history).count(), set()
        found = {each async for some in incomplete_of(history) for each in some}
        return Pictures(), found

    return kept.with_history(settings, work)


def test_analysis_deleted_while_pictures_are_compared_is_no_orphan(settings: Settings) -> None:
    kept.keep(settings, 2)
    (gone,) = kept.keep(settings)

    found, _ = during(
        settings, "pictures", lambda history: history.archive.delete(kept.OWNER, gone)
    )

    assert found == Pictures(owned=4)


def test_analysis_deleted_while_records_are_compared_is_not_incomplete(settings: Settings) -> None:
    (broken,) = kept.keep(settings)
    kept.file_of(settings, broken).unlink()

    _, found = during(
        settings, "records", lambda history: history.archive.delete(kept.OWNER, broken)
    )

    assert found == set()


def test_picture_written_after_its_folder_was_listed_is_not_missing(settings: Settings) -> None:
    (identifier,) = kept.keep(settings)
    file = kept.file_of(settings, identifier)
    data = file.read_bytes()
    file.unlink()

    async def restore(_: History) -> None:
        await asyncio.to_thread(file.write_bytes, data)

    _, found = during(settings, "records", restore)

    assert found == set()


def test_images_of_a_job_that_is_gone_are_found_and_deleted_with_what_a_crash_left(
    settings: Settings,
) -> None:
    async def work(history: History) -> tuple[Pictures, int, int]:
        intake = Intake(JobQueue(history.database), history.job_images, lambda _: {})
        jobs = [await begun(intake, name) for name in ("whole", "dead")]
        await history.job_images.put(f"{'0' * 32}/0", b"of no job")
        half = Path(settings.data_folder, "jobs", jobs[1].key, "1#1")
        half.write_bytes(b"half of a patient's film")
        counted = await orphans.of_jobs(Inventory(history.database), history.job_images).count()
        await JobQueue(history.database).hide(jobs[1])
        swept = await deletion.sweep(JobQueue(history.database), history.job_images)
        assert not half.parent.exists()
        later = datetime.now(UTC) + timedelta(hours=2)
        of_jobs = orphans.of_jobs(Inventory(history.database), history.job_images)
        return counted, swept, await of_jobs.delete(now=later)

    assert kept.with_history(settings, work) == (Pictures(owned=2, orphaned=1), 1, 1)

    left = [each.name for each in Path(settings.data_folder, "jobs").rglob("*") if each.is_file()]
    assert left == ["0"]


async def begun(intake: Intake, name: str) -> Job:
    job = await intake.begin(kept.OWNER, name, heatmap="none", lasts=timedelta(hours=1))

    async def images() -> AsyncIterator[bytes | RejectedImage]:
        yield b"a film"

    return await intake.fill(job, images())
