"""The tables; a change of them needs a migration in migrations/versions."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class State(StrEnum):
    """Where a kept analysis is in its life; only a kept one is visible."""

    PENDING = "pending"
    """Its pictures are being written."""
    KEPT = "kept"
    DELETING = "deleting"
    """Its pictures are being deleted; the record goes last."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone, UTC, also in a database that stores none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Converts what is written."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Converts what is read."""
        return value.replace(tzinfo=UTC) if value else None


OWNER_INDEX = "ix_analyses_owner_state_created_at_id"

analyses = Table(
    "analyses",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("claimed_at", UtcDateTime),
    Column("result", JSON, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("encryption_key", String(16), nullable=False),
    Column("idempotency_key", String(64)),
    Column("fingerprint", String(64), nullable=False),
    UniqueConstraint("owner", "idempotency_key"),
    Index(OWNER_INDEX, "owner", "state", "created_at", "id"),
    Index(None, "state", "expires_at"),
)
"""`claimed_at`: when a process last began to delete it. `encryption_key`: the name of the key of
its pictures. `fingerprint`: a digest of the request with the `idempotency_key`."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous_digest", String(64)),
    Column("previous_until", UtcDateTime),
    Column("scopes", String(80), nullable=False),
    Column("requests_per_minute", Integer),
    Column("retention_hours", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
"""`digest`: of the secret, SHA-256, which is enough for 256 random bits. `previous_digest`: of the
secret before the last rotation, valid until `previous_until`."""

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "expires_at"),
)
"""Sessions that a person has ended; a row is of no use once its session would have expired."""


class JobState(StrEnum):
    """Where a job is in its life."""

    RECEIVING = "receiving"
    """Its images are being stored; nobody sees it."""
    QUEUED = "queued"
    """Its items wait, or are being analysed."""
    FINISHED = "finished"
    CANCELLED = "cancelled"
    """Its items that waited have no result."""
    DELETING = "deleting"
    """It is being deleted; nobody sees it."""


class ItemState(StrEnum):
    """Where an image of a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """It has a result: an analysis, or a problem."""
    CANCELLED = "cancelled"


jobs = Table(
    "jobs",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("id", String(64), nullable=False),
    Column("state", String(9), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("claimed_at", UtcDateTime),
    Column("heatmap", String(4), nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("encryption_key", String(16), nullable=False),
    UniqueConstraint("owner", "id"),
    Index(None, "state", "expires_at"),
)
"""`id` is the caller's own, or a random one; `key` is ours. `claimed_at`: when an image last
arrived, and later when a process last began to delete it."""

job_items = Table(
    "job_items",
    metadata,
    Column("job", String(32), ForeignKey("jobs.key"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("state", String(9), nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("claim", String(32)),
    Column("claimed_until", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("result", JSON),
    Index(None, "state", "queued_at"),
)
"""`claim`: names the turn of the worker that has the item until `claimed_until`. `digest`: of the
file."""


class DeliveryState(StrEnum):
    """Where a delivery to a webhook is."""

    WAITING = "waiting"
    """For its first attempt, or for another."""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("url", String(1024), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("previous_secret", LargeBinary),
    Column("previous_until", UtcDateTime),
    Column("encryption_key", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("disabled", String(7)),
    Index(None, "owner", "created_at"),
)
"""`previous_secret`: the one before the last rotation, which signs, too, until `previous_until`.
`failing_since`: the first failure after the last success. `disabled`: why nothing is delivered."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("webhook", String(32), nullable=False),
    Column("job", String(32), nullable=False),
    Column("payload", String(512), nullable=False),
    Column("state", String(9), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("claim", String(32)),
    Column("attempts", Integer, nullable=False),
    Column("attempted_at", UtcDateTime),
    Column("last_status", Integer),
    Column("last_error", String(20)),
    Index(None, "state", "due_at"),
    Index(None, "webhook", "created_at"),
    Index(None, "job"),
)
"""`job` is the key of the job that ended. A claim moves `due_at` to the time at which others may
claim the delivery again. No foreign keys: a job's end must not fail because a webhook is deleted at
that moment; a sweep deletes what belongs to neither any more."""
