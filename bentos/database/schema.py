"""Creates and changes the tables by Alembic's migrations, and says whether that was done."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from bentos.database.database import Database
from bentos.database.errors import StorageUnavailable

_LOCK = 0x63787231
"""Of PostgreSQL's advisory locks: two migrations at once would fail."""


class NewerVersion(StorageUnavailable):
    """The tables are of a later version of this program."""


class NotMigrated(StorageUnavailable):
    """The tables are not those of this version."""


async def prepare(database: Database) -> None:
    """Brings a SQLite file to the newest version; of PostgreSQL it only asks for that.

    Raises StorageUnavailable.
    """
    if database.is_sqlite:
        await migrate(database)
    elif not await is_current(database):
        raise NotMigrated("the database has not the tables of this version: chestxray migrate")


async def migrate(database: Database) -> tuple[str | None, str | None]:
    """Brings the tables to the newest version, in one transaction.

    Returns the version before, None where there were no tables, and the one after. Raises
    StorageUnavailable.
    """
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
        return await connection.run_sync(_upgrade)


async def is_current(database: Database) -> bool:
    """Whether the tables have the version that this program needs. Raises StorageUnavailable."""
    async with database.reading() as connection:
        found = await connection.run_sync(_revision)
    return found == _scripts().get_current_head()


def _upgrade(connection: Connection) -> tuple[str | None, str | None]:
    before = _revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, _revision(connection)


def _revision(connection: Connection) -> str | None:
    """Returns the version of the tables. Raises NewerVersion."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {each.revision for each in _scripts().walk_revisions()}
    if found and found not in known:
        raise NewerVersion(
            f"the database has version {found}, which a later version of this program has made"
        )
    return found


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
