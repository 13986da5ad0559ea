"""Deletes what belongs to no valid key, no webhook and no job any more."""

from datetime import datetime

from sqlalchemy import and_, delete, or_, select

from bentos.callers.caller import KEY_OWNER
from bentos.database.database import Database
from bentos.database.tables import JobState, api_keys, jobs, webhook_deliveries, webhooks

ENDED = (JobState.FINISHED, JobState.CANCELLED)
"""The states of a job whose end is delivered."""


async def prune(database: Database, *, now: datetime) -> None:
    """Deletes webhooks of keys that were revoked or expired, and the deliveries of those, of
    deleted webhooks, and of jobs that were deleted or expired.

    Several processes may do so at once. Raises StorageUnavailable.
    """
    valid_key = select(api_keys.c.id).where(
        webhooks.c.owner == KEY_OWNER + api_keys.c.id,
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
    )
    of_ended_keys = and_(webhooks.c.owner.startswith(KEY_OWNER), ~valid_key.exists())
    it = webhook_deliveries.c
    has_webhook = select(webhooks.c.id).where(webhooks.c.id == it.webhook).exists()
    visible = and_(jobs.c.key == it.job, jobs.c.state.in_(ENDED), jobs.c.expires_at > now)
    has_job = select(jobs.c.key).where(visible).exists()
    left = select(it.id).where(or_(~has_webhook, ~has_job))
    # What is locked now is left to the next time: no two transactions wait for each other.
    left = left.with_for_update(skip_locked=True, of=webhook_deliveries)
    async with database.writing() as connection:
        await connection.execute(delete(webhooks).where(of_ended_keys))
        await connection.execute(delete(webhook_deliveries).where(it.id.in_(left)))
