"""Opens what an operator's commands work on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url

from bentos.database import schema
from bentos.database.database import FILE, STATEMENT_SECONDS, Database
from bentos.history.history import History
from bentos.settings import Settings
from bentos.settings_checks import variable_of

NO_PLACE = (
    f"there is no place for keys and analyses: set {variable_of('data_folder')}, or "
    f"{variable_of('database')}, {variable_of('object_store')} and {variable_of('cookie_secret')}"
)


@asynccontextmanager
async def database(
    settings: Settings, *, statement_seconds: float = STATEMENT_SECONDS
) -> AsyncIterator[Database]:
    """The database alone, whatever version it has. Raises OSError."""
    opened = Database(
        settings.database.get_secret_value(),
        data_folder=settings.data_folder,
        statement_seconds=statement_seconds,
    )
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def prepared_database(settings: Settings) -> AsyncIterator[Database]:
    """The database alone, at this version. Raises StorageUnavailable or OSError."""
    async with database(settings) as opened:
        await schema.prepare(opened)
        yield opened


@asynccontextmanager
async def history(settings: Settings) -> AsyncIterator[History]:
    """Kept analyses with their pictures. Raises StorageUnavailable or OSError."""
    opened = History(settings)
    try:
        await opened.prepare()
        yield opened
    finally:
        await opened.close()


def place_of(settings: Settings) -> str:
    """Returns where the database is, without user and password."""
    address = settings.database.get_secret_value()
    if not address:
        return f"{settings.data_folder}/{FILE}"
    url = make_url(address)
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or ''}{port}/{url.database or ''}"
