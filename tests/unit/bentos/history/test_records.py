"""How records are found."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event

from bentos.database import schema
from bentos.database.database import Database
from bentos.database.tables import OWNER_INDEX
from bentos.history.records import Position, Records
from tests import kept


@pytest.mark.parametrize("how", ["first page", "next page", "count"])
def test_what_one_owner_has_is_found_by_its_index(tmp_path: Path, how: str) -> None:
    """SQLite without statistics would read what everybody has kept."""
    statements: list[tuple[str, object]] = []

    async def plan() -> str:
        database = Database("", data_folder=str(tmp_path))
        await schema.migrate(database)
        listen = (database._engine.sync_engine, "before_cursor_execute")
        event.listen(*listen, lambda *a: statements.append((a[2], a[3])))
        records = Records(database)
        if how == "count":
            await records.count("key:1")
        else:
            place = Position(kept.record().result.created_at, "0" * 32)
            await records.page("key:1", after=place if how == "next page" else None, limit=20)
        statement, values = statements[-1]
        async with database.reading() as connection:
            found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = " ".join(str(row) for row in found)
        await database.close()
        return steps

    steps = asyncio.run(plan())

    assert OWNER_INDEX in steps
    assert "TEMP B-TREE" not in steps
