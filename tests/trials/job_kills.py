"""Gateways that submit, work on, cancel and delete jobs are killed: nothing is lost or done twice.

    python -m tests.trials.job_kills --kills 200

Four processes at once share the storage, and each is killed with `kill -9` at a random moment.
Both over SQLite with a folder, and over PostgreSQL with S3 where those are installed. The models
answer at once, so that the moments fall into the storage's work; tests.trials.jobs has real ones.
"""

import argparse
import asyncio
import multiprocessing
import random
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from tqdm import tqdm

from bentos.database import schema
from bentos.database.tables import ItemState, JobState, job_items, jobs
from bentos.history.history import History
from bentos.jobs.jobs import Jobs
from tests.trials.job_process import OWNER, SHORT, identifier_of, live, opened
from tests.trials.storages import Storage, storages
from tests.trials.table import Table

_AT_ONCE = 4
_LONGEST_LIFE = 0.6
_SHOWN = (JobState.QUEUED, JobState.FINISHED, JobState.CANCELLED)


@dataclass
class Said:
    """What the processes had said when they were killed."""

    digests: dict[str, list[str]] = field(default_factory=dict)
    submitted: set[str] = field(default_factory=set)
    ending: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    answered: Counter[str] = field(default_factory=Counter)

    def hear(self, what: str, name: str, digests: list[str] | None = None) -> None:
        if digests is not None:
            self.digests[name] = digests
        elif what == "answered":
            self.answered[name] += 1
        else:
            getattr(self, what).add(name)


@dataclass
class Watched:
    """What a reader saw while processes were killed."""

    looks: int = 0
    half_written: int = 0

    async def look(self, history: History) -> None:
        """Compares the number of items of each visible job with what the job says."""
        counted = (
            select(jobs.c.total, func.count(job_items.c.position).label("items"))
            .select_from(jobs.outerjoin(job_items, job_items.c.job == jobs.c.key))
            .where(jobs.c.state.in_(_SHOWN))
            .group_by(jobs.c.key, jobs.c.total)
        )
        async with history.database.reading() as connection:
            rows = (await connection.execute(counted)).all()
        self.looks += 1
        self.half_written += sum(row.items != row.total for row in rows)


async def kill(storage: Storage, history: History, kills: int) -> tuple[Said, Watched]:
    """Starts processes, some at once, and kills each at a random moment of its work."""
    said, watched, generator = Said(), Watched(), random.Random(1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "tests.trials.job_process"])
    with tqdm(total=kills, unit=" kills", desc=storage.name) as bar:

        async def one() -> None:
            """Kills one process after the other, until there were enough."""
            while bar.n < kills:
                bar.update()
                mine, other = context.Pipe(duplex=False)
                process = context.Process(target=live, args=(storage.environment, other))
                process.start()
                other.close()
                await asyncio.to_thread(mine.poll, 60)  # it has begun
                await asyncio.sleep(generator.random() * _LONGEST_LIFE)
                assert process.is_alive(), "a process ended before it was killed"
                process.kill()
                await asyncio.to_thread(_hear, mine, said)
                process.join()
                await watched.look(history)

        await asyncio.gather(*(one() for _ in range(_AT_ONCE)))
    return said, watched


def _hear(pipe: Connection, said: Said) -> None:
    """Reads what a process had said; its last words may be cut."""
    with suppress(EOFError, OSError):
        while True:
            said.hear(*pipe.recv())
    pipe.close()


@dataclass
class Left:
    """What is stored once all that waited is analysed, and after a sweep."""

    totals: dict[str, tuple[int, int]]
    """Of visible jobs: `done`, and the items that have a result."""
    states: dict[str, JobState]
    items: dict[str, list[Any]]
    hidden: int
    images_without_job: int


async def work_off(history: History, work: Jobs) -> None:
    """Lets a gateway that is not killed do what is left, and sweep."""
    running = asyncio.create_task(work.worker.run())
    async with asyncio.timeout(300):
        while await work.queue.depth():
            await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait([running])
    await asyncio.sleep(1.5 * SHORT.total_seconds())  # what a dead process began is given up
    await work.worker.sweep()


async def look(history: History, work: Jobs) -> Left:
    """Reads everything."""
    async with history.database.reading() as connection:
        rows = (await connection.execute(select(jobs))).all()
    visible = {row.id: await work.queue.get(OWNER, row.id) for row in rows}
    shown = {name: job for name, job in visible.items() if job}
    items = {
        name: await work.queue.items(job, begin=0, limit=job.total + 1)
        for name, job in shown.items()
    }
    done = {
        name: (job.done, sum(each.state is ItemState.DONE for each in items[name]))
        for name, job in shown.items()
    }
    keys = {row.key for row in rows}
    orphans = [each for each in await _images(history) if each.partition("/")[0] not in keys]
    states = {name: job.state for name, job in shown.items()}
    return Left(done, states, items, len(rows) - len(shown), len(orphans))


async def _images(history: History) -> list[str]:
    return [name async for some in history.job_images.names() for name in some]


async def expire(history: History, work: Jobs) -> int:
    """Lets all jobs expire, sweeps, and returns what is left: jobs, items and images."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with history.database.writing() as connection:
        await connection.execute(update(jobs).values(expires_at=past))
    await work.worker.sweep()
    async with history.database.reading() as connection:
        rows = [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (jobs, job_items)
        ]
    return sum(rows) + len(await _images(history))


async def trial_of(storage: Storage, kills: int, table: Table) -> None:
    """Adds the rows of one storage."""
    async with opened(storage.environment) as (history, work):
        await schema.migrate(history.database)
        said, watched = await kill(storage, history, kills)
        await work_off(history, work)
        left = await look(history, work)
        add_rows(table, storage.name, said, watched, left)
        rest = await expire(history, work)
        _none(table, f"{storage.name}: jobs, items and images left once all have expired", rest)


def add_rows(table: Table, name: str, said: Said, watched: Watched, left: Left) -> None:
    """Adds what was acknowledged, and what became of it."""
    films = sum(len(items) for items in left.items.values())
    table.add(f"{name}: jobs answered 202 before a kill", len(said.submitted))
    table.add(f"{name}: jobs whose process was killed before it said so", _unsaid(said))
    ended = len(said.ending - said.deleted - said.cancelled)
    table.add(f"{name}: killed in a cancellation or a deletion", ended)
    table.add(f"{name}: films of the jobs that are left", films)
    lost = said.submitted - said.ending - set(left.items)
    _none(table, f"{name}: answered 202 and lost", len(lost))
    _none(table, f"{name}: deleted and visible", len(said.deleted & set(left.items)))
    half = f"{name}: half-written jobs, in {watched.looks} looks at all"
    _none(table, half, watched.half_written)
    wrong = [each for each in left.items if not _is_complete(each, said, left)]
    _none(table, f"{name}: jobs without one result for each film, in its place", len(wrong))
    twice = sum(count - 1 for count in said.answered.values())
    _none(table, f"{name}: items that got a second result", twice)
    counted = sum(done != found for done, found in left.totals.values())
    _none(table, f"{name}: jobs that count another number of results than they have", counted)
    _none(table, f"{name}: hidden jobs after a sweep", left.hidden)
    _none(table, f"{name}: images without a job after a sweep", left.images_without_job)


def _unsaid(said: Said) -> int:
    return len(set(said.digests) - said.submitted)


def _is_complete(name: str, said: Said, left: Left) -> bool:
    """Whether a job has all its films in order, each with a result of its own; those of a job that
    somebody began to cancel may have none."""
    items, digests = left.items[name], said.digests[name]
    may_lack = left.states[name] is JobState.CANCELLED and name in said.ending
    has_results = all(
        each.result["id"] == identifier_of(each.digest)
        if each.result and "id" in each.result
        else bool(each.result) or (may_lack and each.state is ItemState.CANCELLED)
        for each in items
    )
    return [each.digest for each in items] == digests and has_results


def _none(table: Table, name: str, found: int) -> None:
    table.add(name, found, "0", met=found == 0)


def trial(kills: int) -> Table:
    """The whole trial."""
    table = Table(
        "job_kills", f"{kills} times kill -9 for each storage, {_AT_ONCE} processes at once."
    )
    with tempfile.TemporaryDirectory() as name, storages(Path(name)) as places:
        for storage in places:
            asyncio.run(trial_of(storage, kills, table))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    table = trial(parser.parse_args().kills)
    table.write()
    print(table.render())
    sys.exit(not table.met)
