"""The table of deliveries: what waits, for whom, and what became of it."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bentos.database.database import Database
from bentos.database.tables import (
    DeliveryState,
    jobs,
    webhook_deliveries,
    webhooks,
)
from bentos.metric_labels import WebhookOutcome
from bentos.webhooks import schedule
from bentos.webhooks.endpoints import Endpoint, endpoint_of
from bentos.webhooks.pruning import ENDED
from bentos.webhooks.sending import Answer, Failure

LEASE = timedelta(minutes=1)
"""A gateway that has not said what became of a delivery in this time is taken for dead."""
GONE, FAILING = "gone", "failing"
"""Why a webhook is disabled: its receiver said so by 410, or took nothing for days."""
_waiting = webhook_deliveries.c.state == DeliveryState.WAITING


@dataclass(frozen=True)
class Delivery:
    """One message to one webhook."""

    id: str
    """Its webhook-id: the same for every attempt."""
    state: DeliveryState
    created_at: datetime
    attempts: int
    attempted_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True)
class Claim:
    """A delivery that one gateway has for a while."""

    id: str
    name: str
    payload: str
    attempts: int
    """This one among them."""
    endpoint: Endpoint


class Backlog(NamedTuple):
    """What waits."""

    waiting: int
    overdue_seconds: float
    """Of the delivery that has been due longest; those to receivers that fail do not count."""


class Deliveries:
    """All deliveries. Every method raises StorageUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, *, now: datetime, busy: Collection[str] = ()) -> Claim | None:
        """Takes the delivery that has been due longest; nobody else gets it for a while.

        None of the owners that are `busy` gets another, so that a slow receiver holds up nobody
        else's.
        """
        first = (
            select(webhook_deliveries.c.id, webhook_deliveries.c.webhook)
            .join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook)
            .join(jobs, jobs.c.key == webhook_deliveries.c.job)
            .where(_due(now), webhooks.c.owner.not_in(busy))
            .order_by(webhook_deliveries.c.due_at, webhook_deliveries.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=webhook_deliveries)
        )
        name, it = uuid.uuid4().hex, webhook_deliveries.c
        async with self._database.writing() as connection:
            found = (await connection.execute(first)).first()
            if found is None:
                return None
            taken: dict[str, Any] = {"claim": name, "due_at": now + LEASE, "attempted_at": now}
            taken["attempts"] = it.attempts + 1
            changed = update(webhook_deliveries).where(it.id == found.id).values(**taken)
            row = (await connection.execute(changed.returning(it.payload, it.attempts))).one()
            of_it = select(webhooks).where(webhooks.c.id == found.webhook)
            endpoint = (await connection.execute(of_it)).mappings().first()
        if endpoint is None:  # it was deleted at this moment
            return None
        return Claim(found.id, name, row.payload, row.attempts, endpoint_of(endpoint))

    async def settle(self, claim: Claim, answer: Answer, *, now: datetime) -> WebhookOutcome | None:
        """Stores what became of an attempt; None where the claim is no longer valid."""
        mine = webhooks.c.id == claim.endpoint.id
        async with self._database.writing() as connection:
            # The webhook first, as everywhere: two transactions that lock in two orders may
            # deadlock.
            wanted = select(webhooks.c.failing_since).where(mine).with_for_update()
            webhook = (await connection.execute(wanted)).first()
            values, outcome = _values(claim, answer, now)
            changed = await connection.execute(
                update(webhook_deliveries).where(_claimed(claim)).values(**values)
            )
            if webhook is None or not changed.rowcount:
                return None
            if outcome is WebhookOutcome.DELIVERED:
                await connection.execute(update(webhooks).where(mine).values(failing_since=None))
            elif answer.failure is not Failure.SECRET:  # which is not the receiver's fault
                await _note_failure(connection, claim, answer, webhook.failing_since, now)
        return outcome

    async def put_back(self, claim: Claim, *, now: datetime) -> None:
        """Lets a delivery wait again that was not tried to the end."""
        again: dict[str, Any] = {"claim": None, "due_at": now}
        again["attempts"] = webhook_deliveries.c.attempts - 1
        async with self._database.writing() as connection:
            await connection.execute(
                update(webhook_deliveries).where(_claimed(claim)).values(**again)
            )

    async def newest(self, endpoint: Endpoint, *, limit: int) -> list[Delivery]:
        """Returns a webhook's deliveries, newest first."""
        wanted = (
            select(webhook_deliveries)
            .where(webhook_deliveries.c.webhook == endpoint.id)
            .order_by(webhook_deliveries.c.created_at.desc(), webhook_deliveries.c.id)
            .limit(limit)
        )
        names = Delivery.__dataclass_fields__
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).mappings()
            return [Delivery(**{name: row[name] for name in names}) for row in rows]

    async def backlog(self, *, now: datetime) -> Backlog:
        """Counts what waits, and how late the latest is."""
        counted = select(func.count()).select_from(webhook_deliveries).where(_waiting)
        late = (
            select(func.min(webhook_deliveries.c.due_at))
            .join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook)
            .join(jobs, jobs.c.key == webhook_deliveries.c.job)
            .where(_due(now), webhooks.c.failing_since.is_(None))
        )
        async with self._database.reading() as connection:
            waiting = (await connection.execute(counted)).scalar_one()
            since = (await connection.execute(late)).scalar_one()
        return Backlog(waiting, (now - since).total_seconds() if since else 0.0)


def _due(now: datetime) -> ColumnElement[bool]:
    """With the tables of webhooks and jobs joined."""
    return and_(
        _waiting,
        webhook_deliveries.c.due_at <= now,
        webhooks.c.disabled.is_(None),
        jobs.c.state.in_(ENDED),
        jobs.c.expires_at > now,
    )


def _claimed(claim: Claim) -> ColumnElement[bool]:
    it = webhook_deliveries.c
    return and_(it.id == claim.id, it.claim == claim.name, _waiting)


def _values(claim: Claim, answer: Answer, now: datetime) -> tuple[dict[str, Any], WebhookOutcome]:
    """Returns what an attempt makes of its delivery."""
    values: dict[str, Any] = {"claim": None, "last_status": answer.status}
    values["last_error"] = answer.failure
    if answer.failure is None:
        return values | {"state": DeliveryState.DELIVERED}, WebhookOutcome.DELIVERED
    pause = schedule.pause(claim.attempts, answer.retry_after)
    if pause is None or answer.status == HTTPStatus.GONE:
        return values | {"state": DeliveryState.GIVEN_UP}, WebhookOutcome.GIVEN_UP
    return values | {"due_at": now + pause}, WebhookOutcome.FAILED


async def _note_failure(
    connection: AsyncConnection,
    claim: Claim,
    answer: Answer,
    failing_since: datetime | None,
    now: datetime,
) -> None:
    """Disables a webhook whose receiver is gone, and gives up what waits for it."""
    since = failing_since or now
    values: dict[str, Any] = {"failing_since": since}
    if answer.status == HTTPStatus.GONE:
        values["disabled"] = GONE
    elif since <= now - schedule.FAILING:
        values["disabled"] = FAILING
    mine = webhooks.c.id == claim.endpoint.id
    await connection.execute(update(webhooks).where(mine).values(**values))
    if "disabled" in values:
        of_it = and_(webhook_deliveries.c.webhook == claim.endpoint.id, _waiting)
        given_up = update(webhook_deliveries).where(of_it).values(state=DeliveryState.GIVEN_UP)
        await connection.execute(given_up)
