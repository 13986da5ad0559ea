"""The durable queue of jobs: SQL, and nothing but SQL.

The queue is a table rather than a broker or a library: procrastinate and pgqueuer need PostgreSQL,
Celery, RQ and Dramatiq a broker, and a fresh machine has SQLite alone.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bentos.database.database import Database
from bentos.database.tables import ItemState, JobState, job_items, jobs
from bentos.jobs.job import Claim, Item, Job, Received
from bentos.webhooks.outbox import announce
from bentos.webhooks.pruning import prune

LEASE = timedelta(minutes=2)
"""A worker that has not ended an item in this time is taken for dead; no analysis lasts as long."""
MAX_ATTEMPTS = 3
"""An item whose workers died so often has probably killed them."""
ABANDONED = timedelta(minutes=1)
"""A job of whose images none has arrived for this time is of a process or a client that died."""
_CLAIM = timedelta(minutes=1)
_OPEN = (ItemState.QUEUED, ItemState.RUNNING)
_VISIBLE = (JobState.QUEUED, JobState.FINISHED, JobState.CANCELLED)


class JobQueue:
    """The tables of jobs and items. Every method raises StorageUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, job: Job) -> bool:
        """Adds a job that nobody sees yet; False if its owner has one with the same id."""
        values = vars(job) | {"state": JobState.RECEIVING, "claimed_at": job.created_at}
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(jobs).values(**values))
        except IntegrityError:
            return False
        return True

    async def receive(self, job: Job) -> bool:
        """Says that a job's images still arrive; False where it was given up."""
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(jobs).where(_opened(job)).values(claimed_at=datetime.now(UTC))
            )
            return bool(changed.rowcount)

    async def submit(self, job: Job, images: Sequence[Received]) -> bool:
        """Makes a job visible, with an item for each image; False where it was given up."""
        values = [
            {
                "job": job.key,
                "position": position,
                "state": ItemState.DONE if image.problem else ItemState.QUEUED,
                "queued_at": job.created_at,
                "attempts": 0,
                "digest": image.digest,
                "result": image.problem,
            }
            for position, image in enumerate(images)
        ]
        done = sum(image.problem is not None for image in images)
        made: dict[str, Any] = {"total": len(images), "done": done}
        made["state"] = JobState.FINISHED if done == len(images) else JobState.QUEUED
        made["bytes"] = sum(image.size for image in images)
        opened = _opened(job)
        async with self._database.writing() as connection:
            changed = await connection.execute(update(jobs).where(opened).values(**made))
            if changed.rowcount:
                await connection.execute(insert(job_items), values)
            if changed.rowcount and made["state"] == JobState.FINISHED:
                await announce(connection, job.key)
            return bool(changed.rowcount)

    async def abandoned(self, owner: str, identifier: str, *, now: datetime) -> Job | None:
        """Returns an owner's job whose images stopped arriving."""
        wanted = select(jobs).where(
            jobs.c.owner == owner,
            jobs.c.id == identifier,
            jobs.c.state == JobState.RECEIVING,
            jobs.c.claimed_at <= now - ABANDONED,
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).mappings().first()
        return _job(row) if row else None

    async def get(self, owner: str, identifier: str) -> Job | None:
        """Returns an owner's visible job; nothing tells one of another from none at all."""
        wanted = select(jobs).where(jobs.c.id == identifier, *_visible(owner))
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).mappings().first()
        return _job(row) if row else None

    async def newest(self, owner: str, *, limit: int) -> list[Job]:
        """Returns an owner's jobs, newest first."""
        newest_first = (jobs.c.created_at.desc(), jobs.c.key.desc())
        wanted = select(jobs).where(*_visible(owner)).order_by(*newest_first).limit(limit)
        async with self._database.reading() as connection:
            return [_job(row) for row in (await connection.execute(wanted)).mappings()]

    async def items(self, job: Job, *, begin: int, limit: int) -> list[Item]:
        """Returns a job's items in the order of their images, from position `begin`."""
        wanted = (
            select(job_items)
            .where(job_items.c.job == job.key, job_items.c.position >= begin)
            .order_by(job_items.c.position)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).mappings()
            return [
                Item(r["position"], ItemState(r["state"]), r["digest"], r["result"]) for r in rows
            ]

    async def claim(self, *, now: datetime) -> Claim | None:
        """Takes the item that has waited longest, or whose worker died; nobody else gets it."""
        due = or_(
            job_items.c.state == ItemState.QUEUED,
            and_(job_items.c.state == ItemState.RUNNING, job_items.c.claimed_until <= now),
        )
        first = (
            select(job_items.c.job, job_items.c.position)
            .where(due)
            .order_by(job_items.c.queued_at, job_items.c.job, job_items.c.position)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        name = uuid.uuid4().hex
        async with self._database.writing() as connection:
            found = (await connection.execute(first)).first()
            if found is None:
                return None
            same = and_(job_items.c.job == found.job, job_items.c.position == found.position)
            taken: dict[str, Any] = {"state": ItemState.RUNNING, "claim": name}
            taken |= {"claimed_until": now + LEASE, "attempts": job_items.c.attempts + 1}
            await connection.execute(update(job_items).where(same).values(**taken))
            about = select(
                job_items.c.attempts, job_items.c.digest, jobs.c.heatmap, jobs.c.encryption_key
            )
            row = (await connection.execute(about.join(jobs).where(same))).one()
        return Claim(
            job=found.job,
            position=found.position,
            name=name,
            attempts=row.attempts,
            heatmap=row.heatmap,
            encrypted=bool(row.encryption_key),
            digest=row.digest,
        )

    async def finish(self, claim: Claim, result: dict[str, Any]) -> bool:
        """Stores the result of an item; False where the claim is no longer valid.

        An item gets one result, however many workers analysed it, and its job's count grows once.
        """
        mine = jobs.c.key == claim.job
        async with self._database.writing() as connection:
            # The job first, as everywhere: two transactions that lock in two orders may deadlock.
            await connection.execute(select(jobs.c.key).where(mine).with_for_update())
            changed = await connection.execute(
                update(job_items)
                .where(_claimed(claim))
                .values(state=ItemState.DONE, claim=None, claimed_until=None, result=result)
            )
            if not changed.rowcount:
                return False
            await connection.execute(update(jobs).where(mine).values(done=jobs.c.done + 1))
            ended = and_(mine, jobs.c.done == jobs.c.total, jobs.c.state == JobState.QUEUED)
            finished = update(jobs).where(ended).values(state=JobState.FINISHED)
            if (await connection.execute(finished)).rowcount:
                await announce(connection, claim.job)
        return True

    async def put_back(self, claim: Claim) -> None:
        """Lets an item wait again, through no fault of its image."""
        waiting: dict[str, Any] = {"state": ItemState.QUEUED, "claim": None}
        waiting |= {"claimed_until": None, "attempts": job_items.c.attempts - 1}
        async with self._database.writing() as connection:
            await connection.execute(update(job_items).where(_claimed(claim)).values(**waiting))

    async def cancel(self, job: Job) -> list[int]:
        """Takes the items that wait off the queue, and returns their positions; what is being
        analysed gets its result."""
        waiting = and_(job_items.c.job == job.key, job_items.c.state == ItemState.QUEUED)
        queued = and_(jobs.c.key == job.key, jobs.c.state == JobState.QUEUED)
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(jobs).where(queued).values(state=JobState.CANCELLED)
            )
            if not changed.rowcount:
                return []
            cancelled = update(job_items).where(waiting).values(state=ItemState.CANCELLED)
            found = await connection.execute(cancelled.returning(job_items.c.position))
            positions = list(found.scalars())
            await announce(connection, job.key)
            return positions

    async def hide(self, job: Job) -> bool:
        """Hides a job for good; False where it was hidden already."""
        shown = and_(jobs.c.key == job.key, jobs.c.state != JobState.DELETING)
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(jobs)
                .where(shown)
                .values(state=JobState.DELETING, id=jobs.c.key, claimed_at=None)
            )
            await connection.execute(
                update(job_items)
                .where(job_items.c.job == job.key, job_items.c.state.in_(_OPEN))
                .values(state=ItemState.CANCELLED, claim=None)
            )
            return bool(changed.rowcount)

    async def claim_hidden(self, limit: int, *, now: datetime) -> list[str]:
        """Hides what has expired, and returns the keys of jobs that the caller is to delete."""
        due = or_(
            and_(jobs.c.state.in_(_VISIBLE), jobs.c.expires_at <= now),
            and_(jobs.c.state == JobState.RECEIVING, jobs.c.claimed_at <= now - ABANDONED),
            and_(
                jobs.c.state == JobState.DELETING,
                or_(jobs.c.claimed_at.is_(None), jobs.c.claimed_at <= now - _CLAIM),
            ),
        )
        chosen = select(jobs.c.key).where(due).limit(limit).with_for_update(skip_locked=True)
        claimed = (
            update(jobs)
            .where(jobs.c.key.in_(chosen))
            .values(state=JobState.DELETING, claimed_at=now, id=jobs.c.key)
            .returning(jobs.c.key)
        )
        async with self._database.writing() as connection:
            keys = list((await connection.execute(claimed)).scalars())
            if keys:
                await connection.execute(
                    update(job_items)
                    .where(job_items.c.job.in_(keys), job_items.c.state.in_(_OPEN))
                    .values(state=ItemState.CANCELLED, claim=None)
                )
            return keys

    async def forget(self, keys: Sequence[str]) -> None:
        """Deletes hidden jobs, whose images are gone."""
        async with self._database.writing() as connection:
            await connection.execute(delete(job_items).where(job_items.c.job.in_(keys)))
            gone = and_(jobs.c.key.in_(keys), jobs.c.state == JobState.DELETING)
            await connection.execute(delete(jobs).where(gone))

    async def prune_webhooks(self) -> None:
        """Deletes deliveries of jobs that are gone, and webhooks of keys that have ended."""
        await prune(self._database, now=datetime.now(UTC))

    async def depth(self) -> int:
        """Returns how many items wait or are being analysed."""
        counted = select(func.count()).where(job_items.c.state.in_(_OPEN))
        async with self._database.reading() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def total_bytes(self) -> int:
        """Returns the size of the images of all jobs that have not ended."""
        waiting = jobs.c.state.in_((JobState.RECEIVING, JobState.QUEUED))
        found = select(func.coalesce(func.sum(jobs.c.bytes), 0)).where(waiting)
        async with self._database.reading() as connection:
            return int((await connection.execute(found)).scalar_one())


def _visible(owner: str) -> tuple[ColumnElement[bool], ...]:
    shown = jobs.c.state.in_(_VISIBLE)
    return jobs.c.owner == owner, shown, jobs.c.expires_at > datetime.now(UTC)


def _opened(job: Job) -> ColumnElement[bool]:
    return and_(jobs.c.key == job.key, jobs.c.state == JobState.RECEIVING)


def _claimed(claim: Claim) -> ColumnElement[bool]:
    return and_(
        job_items.c.job == claim.job,
        job_items.c.position == claim.position,
        job_items.c.claim == claim.name,
        job_items.c.state == ItemState.RUNNING,
    )


def _job(row: Any) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**values | {"state": JobState(row["state"])})
