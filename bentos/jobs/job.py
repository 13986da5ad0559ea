"""A job and its items, as they are stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bentos.database.tables import ItemState, JobState


@dataclass(frozen=True)
class Job:
    """Images of one caller that are analysed when there is capacity for them."""

    key: str
    """Names it in the database and the object store."""
    owner: str
    id: str
    """Names it for its owner."""
    state: JobState
    created_at: datetime
    expires_at: datetime
    heatmap: str
    total: int = 0
    done: int = 0
    bytes: int = 0
    encryption_key: str = ""


@dataclass(frozen=True)
class Received:
    """One image of a job as it arrived."""

    digest: str
    """Of its bytes, SHA-256."""
    size: int
    problem: dict[str, Any] | None = None
    """Why it is not stored, and will not be analysed."""


@dataclass(frozen=True)
class Item:
    """One image of a job."""

    position: int
    state: ItemState
    digest: str
    result: dict[str, Any] | None
    """An analysis or a problem."""


@dataclass(frozen=True)
class Claim:
    """An item that one worker has for a while."""

    job: str
    position: int
    name: str
    attempts: int
    heatmap: str
    encrypted: bool
    digest: str
