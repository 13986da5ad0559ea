"""What tests do with jobs: submit them, let gateways work, wait, and count what is left."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import func, select

from bentos.database.tables import job_items, jobs
from tests.service.fakes import form
from tests.service.keeping import Gateway

Run = Callable[..., None]
JOBS = "/v1/jobs"
ZIP = {"Content-Type": "application/zip"}


def zip_of(*images: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as bundle:
        for number, image in enumerate(images):
            bundle.writestr(f"Maria da Silva/{number}.png", image)
    return file.getvalue()


@asynccontextmanager
async def working(*gateways: Gateway) -> AsyncIterator[None]:
    """Lets the gateways work on jobs."""
    tasks = [asyncio.create_task(each.jobs.run()) for each in gateways]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def submit(client: httpx.AsyncClient, *images: bytes, **more: Any) -> str:
    answer = await client.post(JOBS, **form(*images), **more)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def finished(client: httpx.AsyncClient, job: str) -> list[dict[str, Any]]:
    """The items of a job once it has ended."""
    async with asyncio.timeout(60):
        while (await client.get(job)).json()["state"] == "queued":
            await asyncio.sleep(0.05)
    items, begin = [], 0
    while begin is not None:
        page = (await client.get(f"{job}/results", params={"begin": begin, "limit": 3})).json()
        items += page["items"]
        begin = page["next"]
    return items


async def left(gateway: Gateway) -> tuple[int, int, int]:
    """Jobs, items and images, visible or not."""
    async with gateway.history.database.reading() as connection:
        counts = [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (jobs, job_items)
        ]
    names = [name async for some in gateway.history.job_images.names() for name in some]
    return counts[0], counts[1], len(names)


def labels(items: list[dict[str, Any]]) -> list[str]:
    results = [each["result"] for each in items]
    return [each.get("code") or each["prediction"]["label"] for each in results]
