"""Places for kept analyses and jobs, of both kinds, for processes that are killed."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bentos.history.history import History
from bentos.settings import Settings
from tests.service import object_store, postgres

_SECRET = "a secret that all processes of a trial have"


@dataclass
class Storage:
    """A place for kept analyses, as environment variables."""

    name: str
    environment: dict[str, str]

    @asynccontextmanager
    async def history(self) -> AsyncIterator[History]:
        os.environ.update(self.environment)  # the object store's client reads its own there
        history = History(Settings())
        try:
            yield history
        finally:
            await history.close()


@contextmanager
def storages(folder: Path) -> Iterator[list[Storage]]:
    """Every kind that is installed."""
    common = {"CHESTXRAY_COOKIE_SECRET": _SECRET}
    sqlite = Storage("SQLite, folder", common | {"CHESTXRAY_DATA_FOLDER": str(folder / "data")})
    if postgres.needed().args[0] or object_store.needed().args[0]:
        yield [sqlite]
        return
    with (
        postgres.postgres() as database,
        object_store.object_store(folder) as s3,
    ):
        places = {
            "CHESTXRAY_DATA_FOLDER": "",
            "CHESTXRAY_DATABASE": database.database(),
            "CHESTXRAY_OBJECT_STORE": s3.bucket("kept"),
        }
        yield [sqlite, Storage("PostgreSQL, S3", common | places | s3.environment)]
