"""`chestxray sweep`: deletes what is to be deleted, or counts what should not exist."""

from bentos.administration import opening
from bentos.history.history import History
from bentos.history.inventory import Inventory
from bentos.history.orphans import OLD, Orphans
from bentos.settings import Settings
from bentos.settings_checks import variable_of

_HOURS = f"{OLD.total_seconds() / 3600:.0f} h"
_FEW = 100
"""So many pictures without a record are deleted, whatever their share is."""


async def check(settings: Settings) -> int:
    """Deletes nothing; returns 1 if there are pictures without a record, or the reverse."""
    async with opening.history(settings) as history:
        orphans = _orphans(history)
        pictures = await orphans.count_pictures()
        incomplete = 0
        async for some in orphans.incomplete_records():
            incomplete += len(some)
    print(f"pictures with a record: {pictures.owned}")
    print(f"pictures without a record: {pictures.orphaned}, older than {_HOURS}: {pictures.old}")
    print(f"visible analyses without their pictures: {incomplete}")
    return int(pictures.orphaned > 0 or incomplete > 0)


async def sweep(settings: Settings, *, incomplete: bool, force: bool) -> int:
    """Deletes what has expired, what was left half-way, and pictures without a record.

    With `incomplete` also analyses whose pictures are missing. Returns 1 if so many pictures have
    no record that this is probably another service's store; `force` deletes them all the same.
    """
    async with opening.history(settings) as history:
        orphans = _orphans(history)
        if incomplete:
            print(f"deleted analyses without their pictures: {await _hide(history, orphans)}")
        print(f"deleted analyses: {await history.archive.sweep()}")
        pictures = await orphans.count_pictures()
        if pictures.orphaned > max(_FEW, pictures.owned) and not force:
            print(
                f"{pictures.orphaned} pictures have no record, and {pictures.owned} have one: is "
                f"{variable_of('database')} the one of this store? None was deleted; with --force "
                "they are"
            )
            return 1
        deleted = await orphans.delete_pictures() if pictures.old else 0
    print(f"deleted pictures without a record: {deleted}")
    if young := pictures.orphaned - pictures.old:
        print(f"pictures without a record that are not {_HOURS} old yet: {young}")
    return 0


async def _hide(history: History, orphans: Orphans) -> int:
    hidden = 0
    async for some in orphans.incomplete_records():
        hidden += await Inventory(history.database).hide(some)
    return hidden


def _orphans(history: History) -> Orphans:
    return Orphans(Inventory(history.database), history.blobs)
