"""`chestxray sweep`: deletes what is to be deleted, or counts what should not exist."""

from bentos.administration import opening
from bentos.history import orphans
from bentos.history.history import History
from bentos.history.inventory import Inventory
from bentos.history.orphans import OLD, Orphans
from bentos.jobs import deletion
from bentos.jobs.queue import JobQueue
from bentos.settings import Settings
from bentos.settings_checks import variable_of

_HOURS = f"{OLD.total_seconds() / 3600:.0f} h"
_FEW = 100
"""So many pictures without a record are deleted, whatever their share is."""


async def check(settings: Settings) -> int:
    """Deletes nothing; returns 1 if there are pictures without a record, or the reverse."""
    async with opening.history(settings) as history:
        inventory = Inventory(history.database)
        pictures = await orphans.of_analyses(inventory, history.blobs).count()
        images = await orphans.of_jobs(inventory, history.job_images).count()
        incomplete = 0
        async for some in orphans.incomplete_records(inventory, history.blobs):
            incomplete += len(some)
    print(f"pictures with a record: {pictures.owned}")
    print(f"pictures without a record: {pictures.orphaned}, older than {_HOURS}: {pictures.old}")
    print(f"visible analyses without their pictures: {incomplete}")
    print(f"images with a job: {images.owned}")
    print(f"images without a job: {images.orphaned}, older than {_HOURS}: {images.old}")
    return int(pictures.orphaned + images.orphaned + incomplete > 0)


async def sweep(settings: Settings, *, incomplete: bool, force: bool) -> int:
    """Deletes what has expired, what was left half-way, and pictures without a record.

    With `incomplete` also analyses whose pictures are missing. Returns 1 if so many pictures have
    no record that this is probably another service's store; `force` deletes them all the same.
    """
    async with opening.history(settings) as history:
        inventory = Inventory(history.database)
        if incomplete:
            print(f"deleted analyses without their pictures: {await _hide(history, inventory)}")
        print(f"deleted analyses: {await history.archive.sweep()}")
        jobs = await deletion.sweep(JobQueue(history.database), history.job_images)
        print(f"deleted jobs: {jobs}")
        pictures = orphans.of_analyses(inventory, history.blobs)
        images = orphans.of_jobs(inventory, history.job_images)
        found = [
            await _delete("pictures without a record", pictures, force=force),
            await _delete("images without a job", images, force=force),
        ]
    return int(not all(found))


async def _delete(what: str, orphaned: Orphans, *, force: bool) -> bool:
    """Deletes orphans; False where they are so many that it refuses to."""
    found = await orphaned.count()
    if found.orphaned > max(_FEW, found.owned) and not force:
        print(
            f"{what}: {found.orphaned}, and {found.owned} with one. Is {variable_of('database')} "
            "the one of this store? None was deleted; with --force they are"
        )
        return False
    print(f"deleted {what}: {await orphaned.delete() if found.old else 0}")
    if young := found.orphaned - found.old:
        print(f"{what} that are not {_HOURS} old yet: {young}")
    return True


async def _hide(history: History, inventory: Inventory) -> int:
    hidden = 0
    async for some in orphans.incomplete_records(inventory, history.blobs):
        hidden += await inventory.hide(some)
    return hidden
