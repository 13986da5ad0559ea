"""What tests do with webhooks: make them, end jobs, deliver."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, update

from bentos.database.tables import webhook_deliveries, webhooks
from bentos.webhooks.connecting import PinnedBackend
from bentos.webhooks.deliverer import Deliverer
from bentos.webhooks.deliveries import Claim
from bentos.webhooks.sending import Sender
from tests.service.fakes import DARK
from tests.service.job_steps import submit
from tests.service.keeping import Gateway
from tests.service.receivers import LOOPBACK, NAME, Receiver

Run = Callable[..., None]
WEBHOOKS = "/v1/webhooks"
ON: dict[str, Any] = {"webhooks": True, "webhook_networks": (LOOPBACK,), "retention_hours": 1000}
URL = f"https://{NAME}/hook"


@dataclass
class Clock:
    """A time that passes when told to."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def deliverer(
    gateway: Gateway,
    receiver: Receiver,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    **options: Any,
) -> Deliverer:
    """A gateway's own, but that it trusts and finds this receiver."""
    backend = PinnedBackend((LOOPBACK,), resolve=receiver.resolve)
    sender = Sender(backend, tls=receiver.tls, **options)
    keyring = gateway.history.job_images.keyring
    return Deliverer(gateway.webhooks.deliveries, sender, keyring, now=now)


async def create(client: httpx.AsyncClient, url: str = URL) -> dict[str, Any]:
    answer = await client.post(WEBHOOKS, json={"url": url})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{WEBHOOKS}/{made['id']}"
    return made


async def end_job(client: httpx.AsyncClient, name: str | None = None) -> str:
    """Submits a job and cancels it, which ends it without any analysis."""
    path = await submit(client, DARK, params={"id": name} if name else {})
    answer = await client.post(f"{path}/cancel")
    assert answer.json()["state"] == "cancelled"
    return path


async def claimed(gateway: Gateway, *, now: datetime | None = None) -> Claim | None:
    return await gateway.webhooks.deliveries.claim(now=now or datetime.now(UTC))


async def attempt(by: Deliverer, gateway: Gateway, clock: Clock) -> bool:
    """Makes one attempt of what is due; False where nothing is."""
    claim = await claimed(gateway, now=clock.now)
    if claim:
        await by.deliver(claim)
    return claim is not None


async def shown(client: httpx.AsyncClient, webhook: dict[str, Any]) -> dict[str, Any]:
    return (await client.get(f"{WEBHOOKS}/{webhook['id']}")).json()  # type: ignore[no-any-return]


async def messages(client: httpx.AsyncClient, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries")
    assert answer.status_code == 200, answer.text
    return answer.json()["deliveries"]  # type: ignore[no-any-return]


async def due_at(gateway: Gateway) -> list[datetime]:
    """When each delivery that waits is tried next."""
    wanted = select(webhook_deliveries.c.due_at).where(webhook_deliveries.c.state == "waiting")
    async with gateway.history.database.reading() as connection:
        return list((await connection.execute(wanted)).scalars())


async def set_failing_since(gateway: Gateway, then: datetime) -> None:
    async with gateway.history.database.writing() as connection:
        await connection.execute(update(webhooks).values(failing_since=then))


async def rows(gateway: Gateway) -> tuple[int, int]:
    """Webhooks and deliveries, of all callers."""
    async with gateway.history.database.reading() as connection:
        counts = [
            len((await connection.execute(select(table.c.id))).all())
            for table in (webhooks, webhook_deliveries)
        ]
    return counts[0], counts[1]
