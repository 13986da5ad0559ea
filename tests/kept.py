"""A store of kept analyses in a folder, filled and looked at by tests."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from bentos.gateway.examples import ANSWERS
from bentos.history.archive import HEATMAP, IMAGE, PARTS, name_of
from bentos.history.history import History
from bentos.history.records import Record
from bentos.settings import Settings
from chestxray.results import Analysis

T = TypeVar("T")

OWNER = "key:0123456789abcdef"
OLD_KEY = "old:" + "A" * 43 + "="
NEW_KEY = "new:" + "B" * 43 + "="


def record(
    identifier: str | None = None, *, owner: str = OWNER, hours: float = 24, **values: Any
) -> Record:
    """A record that expires in so many hours."""
    now = datetime.now(UTC)
    made = {"id": identifier or uuid4().hex, "created_at": now}
    result = Analysis.model_validate(ANSWERS["analyse_image"] | made)
    expires_at = now + timedelta(hours=hours)
    return Record(owner=owner, result=result, expires_at=expires_at, fingerprint="0" * 64, **values)


def pictures_of(identifier: str) -> dict[str, bytes]:
    """Pictures that tell whose they are."""
    return {part: f"PNG {part} of {identifier}".encode() for part in (IMAGE, HEATMAP)}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[History]:
    """The store, with its tables."""
    history = History(settings)
    try:
        await history.prepare()
        yield history
    finally:
        await history.close()


def with_history(settings: Settings, work: Callable[[History], Awaitable[T]]) -> T:
    """Runs work on the store."""

    async def main() -> T:
        async with opened(settings) as history:
            return await work(history)

    return asyncio.run(main())


def keep(settings: Settings, count: int = 1, **values: Any) -> list[str]:
    """Keeps analyses; returns their identifiers."""

    async def work(history: History) -> list[str]:
        records = [record(**values) for _ in range(count)]
        for each in records:
            await history.archive.keep(each, pictures_of(each.id))
        return [each.id for each in records]

    return with_history(settings, work)


def read(settings: Settings, identifier: str, *, owner: str = OWNER) -> dict[str, bytes | None]:
    """The pictures of a visible analysis; none where it is not visible."""

    async def work(history: History) -> dict[str, bytes | None]:
        found = await history.archive.get(owner, identifier)
        if found is None:
            return {}
        return {part: await history.archive.picture(found, part) for part in PARTS}

    return with_history(settings, work)


def read_all(settings: Settings, *, owner: str = OWNER) -> dict[str, dict[str, bytes | None]]:
    """The pictures of all of an owner's analyses, by their identifiers."""

    async def work(history: History) -> dict[str, dict[str, bytes | None]]:
        found = await history.archive.page(owner, after=None, limit=10_000)
        return {
            each.id: {part: await history.archive.picture(each, part) for part in PARTS}
            for each in found
        }

    return with_history(settings, work)


def all_pictures_of(identifiers: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """What `read_all` returns if nothing is lost."""
    return {each: pictures_of(each) for each in identifiers}


def file_of(settings: Settings, identifier: str, part: str = IMAGE) -> Path:
    """The file of a picture."""
    return Path(settings.data_folder) / "pictures" / name_of(identifier, part)


def age(paths: Sequence[Path], *, hours: float = 2) -> None:
    """Makes files older."""
    then = time.time() - hours * 3600
    for each in paths:
        os.utime(each, (then, then))
