"""`chestxray migrate`: brings the database to the newest version."""

from bentos.administration import opening
from bentos.database import schema
from bentos.settings import Settings

_SECONDS = 24 * 3600.0
"""A large table may take hours to change, or another migration may hold the lock."""


async def migrate(settings: Settings) -> int:
    """Migrates, and says from which version to which; several at once wait for each other."""
    async with opening.database(settings, statement_seconds=_SECONDS) as database:
        before, after = await schema.migrate(database)
    place = opening.place_of(settings)
    if before == after:
        print(f"{place} is at version {after}, the newest")
    else:
        print(f"{place} was brought from {before or 'nothing'} to version {after}")
    return 0
