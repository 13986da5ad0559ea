"""Creates and changes the tables by Alembic's migrations, and says whether that was done."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from bentos.database.database import Database

_LOCK = 0x63787231
"""Of PostgreSQL's advisory locks: two migrations at once would fail."""


async def migrate(database: Database) -> None:
    """Brings the tables to the newest version, in one transaction. Raises StorageUnavailable."""
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.run_sync(_upgrade)


async def is_current(database: Database) -> bool:
    """Whether the tables have the version that this program needs. Raises StorageUnavailable."""
    async with database.reading() as connection:
        found = await connection.run_sync(_revision)
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
