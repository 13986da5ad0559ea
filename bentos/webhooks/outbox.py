"""Adds deliveries in the transaction that ends a job: either both happen, or neither."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bentos.database.tables import DeliveryState, jobs, webhook_deliveries, webhooks

JOB_FINISHED = "job.finished"


async def announce(connection: AsyncConnection, job: str) -> None:
    """Adds a delivery of a job's end to each of its owner's webhooks; `job` is its key."""
    about = select(jobs.c.owner, jobs.c.id, jobs.c.state, jobs.c.total, jobs.c.done)
    ended = (await connection.execute(about.where(jobs.c.key == job))).one()
    listening = (
        select(webhooks.c.id)
        .where(webhooks.c.owner == ended.owner, webhooks.c.disabled.is_(None))
        .order_by(webhooks.c.id)
        .with_for_update(read=True, key_share=True)  # a deletion waits, and deletes these, too
    )
    found = list((await connection.execute(listening)).scalars())
    if not found:
        return
    now = datetime.now(UTC)
    data = {"id": ended.id, "state": ended.state, "total": ended.total, "done": ended.done}
    payload = _payload(JOB_FINISHED, now, data)
    rows = [
        {
            "id": uuid.uuid4().hex,
            "webhook": each,
            "job": job,
            "payload": payload,
            "state": DeliveryState.WAITING,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        for each in found
    ]
    await connection.execute(insert(webhook_deliveries), rows)


def _payload(event: str, now: datetime, data: dict[str, Any]) -> str:
    """As text, so that every attempt sends and signs the same bytes."""
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": timestamp, "data": data}, separators=(",", ":"))
