"""Everything that keeps analyses, opened from the settings, and its work in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from bentos.audit.trail import SERVICE, Event, Trail
from bentos.callers.api_keys import ApiKeys
from bentos.callers.visitors import Visitors, secret_in
from bentos.database import schema
from bentos.database.database import Database
from bentos.database.errors import StorageUnavailable
from bentos.history.archive import Archive
from bentos.history.blobs import JOBS, PICTURES, open_blobs
from bentos.history.encryption import Keyring
from bentos.history.records import Records
from bentos.history.sweeper import Sweeper
from bentos.history_settings import parse_keys
from bentos.settings import Settings
from bentos.sign_in.sign_in import SignIn

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class History:
    """Kept analyses, keys, people and visitors."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing but the folder. Raises OSError where that cannot be written."""
        folder = settings.data_folder
        self.database = Database(settings.database.get_secret_value(), data_folder=folder)
        keyring = Keyring(parse_keys(settings.encryption_keys.get_secret_value()))
        place = partial(open_blobs, settings.object_store, data_folder=folder, keyring=keyring)
        self.blobs, self.job_images = place(part=PICTURES), place(part=JOBS)
        self.records = Records(self.database)
        self.trail = Trail(settings.audit_file)
        self.archive = Archive(
            self.records,
            self.blobs,
            max_per_owner=settings.max_kept_per_caller,
            max_bytes=settings.max_kept_bytes,
            on_expired=lambda each: self.trail.record(Event.EXPIRED, SERVICE, analysis=each),
        )
        self.keys = ApiKeys(self.database)
        secret = settings.cookie_secret.get_secret_value() or secret_in(Path(folder))
        self.visitors = Visitors(secret)
        self.sign_in = SignIn(settings, self.database, secret) if settings.signs_in else None
        self._sweeper = Sweeper(lambda: self.until_done(self.archive.sweep))

    async def prepare(self) -> None:
        """Sees to it that the tables are those of this version. Raises StorageUnavailable."""
        await schema.prepare(self.database)

    async def run(self) -> None:
        """Prepares the tables, and sweeps every minute until it is cancelled."""
        await self.until_done(self.prepare)
        await self._sweeper.run()

    def sweep_soon(self) -> None:
        """Lets the next sweep begin at once."""
        self._sweeper.soon()

    async def close(self) -> None:
        """Closes the connections to the database and the provider, and the audit file."""
        if self.sign_in:
            await self.sign_in.close()
        await self.database.close()
        self.trail.close()

    async def until_done(self, work: Callable[[], Awaitable[object]]) -> None:
        """Repeats work until the storage answers; logs the failure once, and its end."""
        failed = False
        while True:
            try:
                await work()
            except StorageUnavailable as error:
                if not failed:
                    logger.error("kept analyses are unavailable: %s", error)
                failed = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if failed:
                    logger.warning("kept analyses are available again")
                return
