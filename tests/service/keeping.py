"""The app over fake models, with a place for kept analyses."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from bentos.callers.caller import Scope
from bentos.callers.quotas import Quotas
from bentos.database import schema
from bentos.database.tables import analyses
from bentos.decoding.decoders import Decoders
from bentos.history.history import History
from bentos.jobs.jobs import Jobs
from bentos.settings import Settings
from bentos.webhooks.webhooks import Webhooks
from tests.service.fakes import DARK, FakeModels, client_of, form, public_app_over

KEEP = "/v1/analyses?keep=true"
SECRET = "a secret that all gateways of a test have"


@dataclass
class Gateway:
    """One gateway: a client without a cookie, and what it keeps analyses in."""

    client: httpx.AsyncClient
    history: History
    models: FakeModels
    jobs: Jobs
    quotas: Quotas
    webhooks: Webhooks

    def visitor(self) -> httpx.AsyncClient:
        """Another client of the same gateway, with cookies of its own."""
        return httpx.AsyncClient(transport=self.client._transport, base_url="http://test")

    async def holder(self, *scopes: Scope, **options: Any) -> httpx.AsyncClient:
        """A client with a new key."""
        made = scopes or (Scope.ANALYSE, Scope.HISTORY)
        _, text = await self.history.keys.create("a hospital", made, **options)
        holder = self.visitor()
        holder.headers["Authorization"] = f"Bearer {text}"
        return holder


Test = Callable[..., Awaitable[None]]


@contextmanager
def decoders_of(settings: Settings) -> Iterator[Decoders]:
    decoders = Decoders(
        settings.limits, settings.process_limits, processes=settings.decode_processes
    )
    try:
        yield decoders
    finally:
        decoders.close()


def run_gateways(
    test: Test, weights: Sequence[Path], storage: dict[str, Any], *, count: int = 1, **changes: Any
) -> None:
    """Runs an async test with this many gateways over one storage."""
    settings = Settings(cookie_secret=SECRET, **(storage | changes))

    async def main(decoders: Decoders) -> None:
        gateways = []
        for _ in range(count):
            models, history = FakeModels(), History(settings)
            public = public_app_over(models, weights, settings, decoders, history)
            assert public.jobs
            assert public.webhooks
            gateways.append(
                Gateway(
                    client_of(public.app),
                    history,
                    models,
                    public.jobs,
                    public.quotas,
                    public.webhooks,
                )
            )
        await schema.migrate(gateways[0].history.database)
        try:
            await test(*gateways)
        finally:
            for gateway in gateways:
                await gateway.client.aclose()
                await gateway.history.close()
                await gateway.quotas.close()

    with decoders_of(settings) as decoders:
        asyncio.run(main(decoders))


async def keep(client: httpx.AsyncClient, image: bytes = DARK, **more: Any) -> httpx.Response:
    """Posts an image to be kept; fails if it is not."""
    answer = await client.post(KEEP, **form(image), **more)
    assert answer.status_code == 201, answer.text
    return answer


async def ids(client: httpx.AsyncClient) -> list[str]:
    """All that a client has kept, over several pages."""
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/analyses", params={"limit": 2} | cursor_of(cursor))).json()
        found += [each["id"] for each in page["analyses"]]
        cursor = page["next"]
    return found


def cursor_of(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


async def left(gateway: Gateway) -> tuple[int, int]:
    """Records and pictures, visible or not."""
    async with gateway.history.database.reading() as connection:
        records = (
            await connection.execute(select(func.count()).select_from(analyses))
        ).scalar_one()
    return records, len([name async for names in gateway.history.blobs.names() for name in names])
