"""The database of kept analyses and keys: PostgreSQL, or SQLite for one gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bentos.database.errors import StorageUnavailable
from bentos.history_metrics import get_history_metrics
from bentos.metric_labels import StoragePart

FILE = "history.sqlite3"
_CONNECTIONS = 8
"""Of one process. A request holds one for milliseconds."""
_CONNECT_SECONDS, STATEMENT_SECONDS, _POOL_SECONDS = 3.0, 10.0, 3.0
"""A database that is gone or overloaded holds up a request for no longer than these."""
_WRITES = "writes"
"""Execution option of a transaction that writes."""


class Database:
    """Transactions in a database; none is opened before the first."""

    def __init__(
        self,
        address: str,
        *,
        data_folder: str = "",
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        """`address` is postgresql://...; empty stands for SQLite in `data_folder`."""
        self.is_sqlite = not address
        # SQLite has one writer, and lets the others poll for its lock, unfairly: here they queue.
        self._turn = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._engine = (
            _postgresql(address, statement_seconds)
            if address
            else _sqlite(Path(data_folder) / FILE, statement_seconds)
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises StorageUnavailable."""
        async with _translated(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end. Raises StorageUnavailable, or IntegrityError."""
        async with _translated(), self._turn, self._engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (TimeoutError, DBAPIError, PoolTimeoutError, OSError) as error:
        # The driver's message may quote values; the type is enough to find the cause. SQLAlchemy
        # wraps it twice.
        adapted = getattr(error, "orig", None) or error
        cause = adapted.__cause__ or adapted
        get_history_metrics().failures.labels(StoragePart.DATABASE).inc()
        raise StorageUnavailable(f"the database failed: {type(cause).__name__}") from error


def _postgresql(address: str, statement_seconds: float) -> AsyncEngine:
    url = make_url(address).set(drivername="postgresql+asyncpg")
    if mode := url.query.get("sslmode"):  # asyncpg's own name of it
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return create_async_engine(
        url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,  # a connection that a restart of the database has closed is replaced
        hide_parameters=True,
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            "server_settings": {"application_name": "chestxray", "jit": "off"},
        },
    )


def _sqlite(file: Path, statement_seconds: float) -> AsyncEngine:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": statement_seconds},
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
    cursor.execute("PRAGMA synchronous = FULL")  # what is committed survives a power failure
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    cursor.close()


def _begin(connection: Connection) -> None:
    """A write takes the lock at once: one that upgrades later may fail without waiting."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
