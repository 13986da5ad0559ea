"""Analyses are kept, deleted and swept at once, and their processes are killed: no orphans.

    python -m tests.trials.keeping --records 10000 --kills 200

First two gateways' archives keep, delete and sweep at the same time, a third of the records
expired from the start. Then processes that keep and delete are killed with `kill -9` at random
moments. Both over SQLite with a folder, and over PostgreSQL with S3 where those are installed.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tqdm import tqdm

from bentos.database import schema
from bentos.database.tables import State, analyses
from bentos.gateway import examples
from bentos.history.archive import PARTS, Archive, name_of
from bentos.history.history import History
from bentos.history.records import Record
from bentos.settings import Settings
from chestxray.results import Analysis
from tests.conftest import ROOT
from tests.trials.storages import Storage, storages
from tests.trials.table import Table

_MODULE = "tests.trials.keeping"
_OWNERS = ("key:one", "key:two")
_AT_ONCE, _WORKERS = 16, 4
_LATER = timedelta(hours=1)
"""By then whatever a dead process has begun is swept."""
_PICTURE = b"\x89PNG" + bytes(2000)


def record_of(owner: str, *, expired: bool = False) -> Record:
    """A new analysis to keep."""
    now = datetime.now(UTC)
    values = examples.ANSWERS["analyse_image"] | {"id": uuid.uuid4().hex, "created_at": now}
    lasts = timedelta(hours=-1 if expired else 24)
    return Record(owner, Analysis.model_validate(values), now + lasts, fingerprint="0" * 64)


async def keep(archive: Archive, record: Record) -> None:
    await archive.keep(record, dict.fromkeys(PARTS, _PICTURE))


@dataclass
class Found:
    """What is stored at the end."""

    visible: set[str]
    records: int
    without_pictures: int
    without_record: int


async def count(history: History) -> Found:
    """Compares all records with all pictures."""
    async with history.database.reading() as connection:
        rows = (await connection.execute(select(analyses.c.id, analyses.c.state))).all()
    names = {name async for some in history.blobs.names() for name in some}
    visible = {row.id for row in rows if row.state == State.KEPT}
    wanted = {name_of(row.id, part) for row in rows for part in PARTS}
    incomplete = [each for each in visible if {name_of(each, part) for part in PARTS} - names]
    return Found(visible, len(rows), len(incomplete), len(names - wanted))


async def race(storage: Storage, records: int) -> tuple[int, Found]:
    """Keeps, deletes and sweeps at once; returns how many should be left, and what is."""
    generator = random.Random(0)
    async with storage.history() as one, storage.history() as two:
        await schema.migrate(one.database)
        left, ended = 0, asyncio.Event()

        async def live(number: int) -> int:
            """The life of one record, its parts by different gateways."""
            first, second = (one, two) if generator.random() < 0.5 else (two, one)
            record = record_of(_OWNERS[number % 2], expired=number % 3 == 0)
            await keep(first.archive, record)
            if number % 3 == 1:
                deleted = await asyncio.gather(
                    *(each.archive.delete(record.owner, record.id) for each in (first, second))
                )
                assert sum(deleted) == 1  # exactly one of them has deleted it
            return int(number % 3 == 2)

        async def sweep(history: History) -> None:
            while not ended.is_set():
                await history.archive.sweep()
                await asyncio.sleep(0.01)

        sweepers = [asyncio.create_task(sweep(each)) for each in (one, two)]
        numbers = iter(tqdm(range(records), unit=" records", desc=storage.name))

        async def work() -> None:
            nonlocal left
            for number in numbers:
                remains = await live(number)
                left += remains

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        ended.set()
        await asyncio.gather(*sweepers)
        await one.archive.sweep()
        return left, await count(one)


async def worker() -> None:
    """Keeps and deletes until it is killed; says on stdout what it has done."""
    generator, kept = random.Random(), []
    history = History(Settings())

    def say(what: str, identifier: str) -> None:
        os.write(1, (json.dumps([what, identifier]) + "\n").encode())

    async def act() -> None:
        while True:
            if kept and generator.random() < 0.4:
                owner, identifier = kept.pop(generator.randrange(len(kept)))
                say("deleting", identifier)
                if await history.archive.delete(owner, identifier):
                    say("deleted", identifier)
            else:
                record = record_of(generator.choice(_OWNERS))
                await keep(history.archive, record)
                say("kept", record.id)
                kept.append((record.owner, record.id))

    await asyncio.gather(*(act() for _ in range(4)))


@dataclass
class Said:
    """What the killed processes had said."""

    kept: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    def read(self, output: bytes) -> None:
        for line in output.splitlines(keepends=True):
            if line.endswith(b"\n"):
                what, identifier = json.loads(line)
                getattr(self, what).add(identifier)


def kill(storage: Storage, kills: int) -> Said:
    """Starts processes, some at once, and kills each at a random moment of its work."""
    said, generator = Said(), random.Random(1)
    environment = os.environ | storage.environment
    command = [sys.executable, "-m", _MODULE, "--worker"]
    with tqdm(total=kills, unit=" kills", desc=storage.name) as bar:
        while bar.n < kills:
            running = [
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
                for _ in range(min(_WORKERS, kills - bar.n))
            ]
            firsts = [each.stdout.readline() for each in running if each.stdout]
            assert all(firsts), "a process ended before it was killed"
            time.sleep(generator.random() * 0.3)
            for process, first in zip(running, firsts, strict=True):
                process.send_signal(signal.SIGKILL)
                output, _ = process.communicate()
                said.read(first + output)
                bar.update()
    return said


async def after(storage: Storage) -> tuple[Found, Found]:
    """What is stored right after the kills, and after a sweep an hour later."""
    async with storage.history() as history:
        found = await count(history)
        later = Archive(
            history.records,
            history.blobs,
            max_per_owner=1,
            max_bytes=1,
            now=lambda: datetime.now(UTC) + _LATER,
        )
        await later.sweep()
        return found, await count(history)


def trial(records: int, kills: int) -> Table:
    """The whole trial."""
    how = f"{records} records of two gateways; {kills} times kill -9, {_WORKERS} processes at once."
    table = Table("keeping", how)
    with tempfile.TemporaryDirectory() as name, storages(Path(name)) as places:
        for storage in places:
            left, found = asyncio.run(race(storage, records))
            _add_race(table, storage.name, left, found)
            said = kill(storage, kills)
            _add_kills(table, storage.name, said, found.visible, *asyncio.run(after(storage)))
    return table


def _add_race(table: Table, name: str, left: int, found: Found) -> None:
    shown = len(found.visible)
    table.add(f"{name}: records left of the race", shown, str(left), met=shown == left)
    hidden = found.records - shown
    table.add(f"{name}: hidden records left", hidden, "0", met=hidden == 0)
    _add_orphans(table, name, found)


def _add_kills(
    table: Table, name: str, said: Said, before: set[str], at_once: Found, later: Found
) -> None:
    table.add(f"{name}: kept and acknowledged before a kill", len(said.kept))
    lost = said.kept - said.deleting - later.visible
    table.add(f"{name}: acknowledged and lost", len(lost), "0", met=not lost)
    back = said.deleted & (at_once.visible | later.visible)
    table.add(f"{name}: deleted and visible", len(back), "0", met=not back)
    unknown = len(later.visible - said.kept - before)
    table.add(f"{name}: kept, the process killed before it said so", unknown)
    hidden = later.records - len(later.visible)
    table.add(f"{name}: hidden records after a sweep", hidden, "0", met=hidden == 0)
    _add_orphans(table, f"{name}, after the kills", at_once)
    _add_orphans(table, f"{name}, after a sweep", later)


def _add_orphans(table: Table, name: str, found: Found) -> None:
    for kind, number in (
        ("visible records without their pictures", found.without_pictures),
        ("pictures without a record", found.without_record),
    ):
        table.add(f"{name}: {kind}", number, "0", met=number == 0)


def main() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.worker:
        asyncio.run(worker())
    table = trial(flags.records, flags.kills)
    table.write()
    print(table.render())
    return not table.met


if __name__ == "__main__":
    sys.exit(main())
