"""A database with data keeps it from the first migration to the last, on both kinds of database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, event, select
from sqlalchemy.engine import Connection
from sqlalchemy.types import JSON

from bentos.database import schema
from bentos.database.database import Database
from bentos.database.tables import metadata
from bentos.gateway import examples
from bentos.history.records import Records
from chestxray.results import Analysis

REVISIONS = [each.revision for each in reversed([*schema._scripts().walk_revisions()])]
Rows = dict[str, list[dict[str, Any]]]

_ROWS = 3
_MADE_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(storage: dict[str, Any]) -> AsyncIterator[Database]:
    database = Database(storage.get("database", ""), data_folder=storage.get("data_folder", ""))
    try:
        yield database
    finally:
        await database.close()


async def run(database: Database, work: Callable[[Connection], Any]) -> Any:
    async with database.writing() as connection:
        return await connection.run_sync(work)


def upgrade_to(revision: str) -> Callable[[Connection], None]:
    """What brings the tables to a version before the newest."""

    def upgrade(connection: Connection) -> None:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return upgrade


def reflected(connection: Connection) -> MetaData:
    """The tables as the database has them, not as this version knows them."""
    found = MetaData()
    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found


def value_for(column: Column[Any], row: int) -> Any:
    """A value that fits the column; foreign keys find the same row of their table."""
    kind = column.type
    if isinstance(kind, Integer | BigInteger):
        return row + 1
    if isinstance(kind, DateTime):
        return (_MADE_AT + timedelta(hours=row)).replace(tzinfo=UTC if kind.timezone else None)
    if isinstance(kind, JSON):
        return {"row": row, "name": "São Paulo"}
    if isinstance(kind, LargeBinary):
        return bytes([row, 0, 255])
    return f"r{row}"


def fill(connection: Connection) -> None:
    """Writes some rows into every table."""
    for table in reflected(connection).sorted_tables:
        rows = [{each.name: value_for(each, row) for each in table.columns} for row in range(_ROWS)]
        connection.execute(table.insert(), rows)


def rows_of(connection: Connection) -> Rows:
    """Everything that is stored."""
    return {
        table.name: [
            dict(row)
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
        ]
        for table in reflected(connection).sorted_tables
    }


def assert_kept(before: Rows, after: Rows) -> None:
    """Every value is where it was; a later version may have more tables and columns."""
    for name, rows in before.items():
        assert len(rows) == len(after[name]) == _ROWS
        for old, new in zip(rows, after[name], strict=True):
            assert old == {column: new[column] for column in old}


@pytest.mark.parametrize("revision", REVISIONS)
def test_data_of_every_version_is_kept(storage: dict[str, Any], revision: str) -> None:
    async def main() -> None:
        async with opened(storage) as database:
            await run(database, upgrade_to(revision))
            await run(database, fill)
            before = await run(database, rows_of)

            assert before
            assert await schema.migrate(database) == (revision, REVISIONS[-1])
            assert_kept(before, await run(database, rows_of))
            assert await schema.is_current(database)

    asyncio.run(main())


def test_migrations_make_the_tables_that_the_program_uses(storage: dict[str, Any]) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async def main() -> None:
        async with opened(storage) as database:
            await schema.migrate(database)
            assert await run(database, differences) == []

    asyncio.run(main())


class Broken(Exception):
    """What ends a migration before its end."""


def test_a_migration_that_fails_at_any_statement_changes_nothing(storage: dict[str, Any]) -> None:
    async def main() -> None:
        async with opened(storage) as database:
            await run(database, upgrade_to(REVISIONS[0]))
            await run(database, fill)
            before = await run(database, rows_of)
            counted = 0
            while not await fails_at(database, counted):
                counted += 1
                assert await run(database, schema._revision) == REVISIONS[0]
                assert await run(database, rows_of) == before

            assert counted >= len(REVISIONS) - 1
            assert await schema.is_current(database)
            assert_kept(before, await run(database, rows_of))

    asyncio.run(main())


async def fails_at(database: Database, number: int) -> bool:
    """Migrates, and fails before that statement that changes something; says whether it got to the
    end because there are fewer."""
    seen = 0

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal seen
        if statement.lstrip().upper().startswith(("CREATE", "ALTER", "DROP", "UPDATE", "INSERT")):
            if seen == number:
                raise Broken
            seen += 1

    listen = (database._engine.sync_engine, "before_cursor_execute", count)
    event.listen(*listen)
    try:
        await schema.migrate(database)
    except Broken:
        return False
    finally:
        event.remove(*listen)
    return True


def test_an_analysis_of_the_first_version_is_read_by_this_one(storage: dict[str, Any]) -> None:
    result = examples.ANSWERS["analyse_image"]
    kept: dict[str, Any] = {
        "id": "0" * 32,
        "owner": "key:1",
        "state": "kept",
        "result": result,
        "bytes": 10,
        "encryption_key": "",
        "fingerprint": "0" * 64,
    }

    def keep(connection: Connection) -> None:
        table = reflected(connection).tables["analyses"]
        now = datetime.now(UTC).replace(tzinfo=UTC if table.c.created_at.type.timezone else None)
        times = {"created_at": now, "expires_at": now + timedelta(hours=1)}
        connection.execute(table.insert(), [kept | times])

    async def main() -> None:
        async with opened(storage) as database:
            await run(database, upgrade_to(REVISIONS[0]))
            await run(database, keep)
            await schema.migrate(database)
            record = await Records(database).get("key:1", "0" * 32)
            assert record is not None
            assert record.result == Analysis.model_validate(result)

    asyncio.run(main())
