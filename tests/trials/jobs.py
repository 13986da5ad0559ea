"""A job of thousands of films runs beside interactive requests, and its gateway is killed.

    python -m tests.trials.jobs --films 5000 --kills 20

Interactive clients post an image, wait for the answer, and think for a while. Their times are
measured without a job, and while one runs; then the gateway is killed with `kill -9` at random
moments, and the supervisor starts it again. At the end each film has one result, in its place.
"""

import argparse
import asyncio
import hashlib
import io
import random
import statistics
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from bentos.callers.api_keys import ApiKeys
from bentos.callers.caller import Scope
from bentos.database.database import Database
from tests.phantoms import encode, phantom
from tests.service import passing
from tests.service.server import Server, serve
from tests.trials.table import Table

_CLIENTS, _THINK_SECONDS = 2, 0.3
_CALM_SECONDS = 60.0
_SIDE = 400
_PATIENCE_SECONDS = 3600.0


@dataclass
class Interactive:
    """Clients that post one image after the other."""

    url: str
    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    async def run(self, until: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            await asyncio.gather(*(self._use(client, until, seed) for seed in range(_CLIENTS)))

    async def _use(self, client: httpx.AsyncClient, until: asyncio.Event, seed: int) -> None:
        generator, image = random.Random(seed), encode(phantom(_SIDE, _SIDE + seed), "PNG")
        while not until.is_set():
            begun = time.perf_counter()
            answer = await client.post("/v1/analyses", files={"image": image})
            self.seconds.append(time.perf_counter() - begun)
            self.failed += answer.status_code != 200
            await asyncio.sleep(generator.uniform(0.5, 1.5) * _THINK_SECONDS)

    @property
    def p95(self) -> float:
        """In seconds."""
        return statistics.quantiles(self.seconds, n=20)[-1]


def films(count: int) -> tuple[bytes, list[str]]:
    """A zip file of films that all differ, and their digests."""
    file, digests = io.BytesIO(), []
    base = encode(phantom(_SIDE, _SIDE), "PNG")
    with zipfile.ZipFile(file, "w") as bundle:
        for number in tqdm(range(count), unit=" films", desc="drawing"):
            film = _named(base, number)
            digests.append(hashlib.sha256(film).hexdigest())
            bundle.writestr(f"{number}.png", film)
    return file.getvalue(), digests


def _named(png: bytes, number: int) -> bytes:
    """The same picture in a file of its own: with a number in a text chunk before its end."""
    text = b"tEXtNumber\0" + str(number).encode()
    check = zlib.crc32(text).to_bytes(4, "big")
    chunk = (len(text) - 4).to_bytes(4, "big") + text + check
    return png[:-12] + chunk + png[-12:]


async def calm(url: str) -> Interactive:
    """Measures without a job."""
    clients, ended = Interactive(url), asyncio.Event()
    running = asyncio.create_task(clients.run(ended))
    await asyncio.sleep(_CALM_SECONDS)
    ended.set()
    await running
    return clients


async def follow(client: httpx.AsyncClient, job: str, *, kill: Any = None) -> dict[str, Any]:
    """Waits for the end of a job; calls `kill` at random moments."""
    status = (await client.get(job)).json()
    with tqdm(total=status["total"], unit=" films", desc="job") as bar:
        end = time.monotonic() + _PATIENCE_SECONDS
        while status["state"] == "queued" and time.monotonic() < end:
            await asyncio.sleep(1)
            try:
                status = (await client.get(job)).json()
            except httpx.HTTPError:  # the gateway is being started again
                continue
            bar.update(status["done"] - bar.n)
            if kill:
                kill(status["done"])
    return status


async def results(client: httpx.AsyncClient, job: str) -> list[dict[str, Any]]:
    items, begin = [], 0
    while begin is not None:
        page = (await client.get(f"{job}/results", params={"begin": begin})).json()
        items += page["items"]
        begin = page["next"]
    return items


async def trial(server: Server, data: Path, count: int, kills: int) -> Table:
    """Both parts, over one server."""
    headers = {"Authorization": f"Bearer {await _key(data)}"}
    table = Table("jobs", f"{count} films in a zip file, {_CLIENTS} interactive clients.")
    body, digests = films(count)
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=600) as client:
        await calm(server.url)  # warm
        without = await calm(server.url)
        begun = time.monotonic()
        job = await _submit(client, body)
        table.add("upload, films/s", count / (time.monotonic() - begun))
        beside, ended = Interactive(server.url), asyncio.Event()
        running = asyncio.create_task(beside.run(ended))
        begun = time.monotonic()
        await follow(client, job)
        rate = count / (time.monotonic() - begun)
        ended.set()
        await running
        _add_results(table, "job", await results(client, job), digests)
        ratio = beside.p95 / without.p95
        table.add("films/s beside the interactive clients", rate, timed=True)
        table.add("p95 without a job, ms", 1000 * without.p95)
        table.add("p95 beside the job, ms", 1000 * beside.p95)
        table.add("ratio", ratio, "<= 1.5", met=ratio <= 1.5, timed=True)
        failed = without.failed + beside.failed
        table.add("interactive requests that failed", failed, "0", met=failed == 0)
        await _with_kills(table, server, client, kills, body, digests)
    return table


async def _with_kills(
    table: Table,
    server: Server,
    client: httpx.AsyncClient,
    kills: int,
    body: bytes,
    digests: list[str],
) -> None:
    marks = sorted(random.Random(0).sample(range(1, len(digests)), kills))

    def kill(done: int) -> None:
        if marks and done >= marks[0]:
            marks.pop(0)
            server.worker("Gateway").kill()

    job = await _submit(client, body)
    await follow(client, job, kill=kill)
    made = kills - len(marks)
    table.add("kill -9 of the gateway", made, str(kills), met=made == kills)
    _add_results(table, "job with kills", await results(client, job), digests)


def _add_results(table: Table, name: str, items: list[dict[str, Any]], digests: list[str]) -> None:
    found = [each["digest"] for each in items]
    table.add(f"{name}: items in their order", found == digests, "True", met=found == digests)
    analysed = sum("prediction" in (each["result"] or {}) for each in items)
    every = len(digests)
    table.add(f"{name}: analysed", analysed, str(every), met=analysed == every)
    twice = sum(n - 1 for n in Counter(found).values())
    table.add(f"{name}: more than once", twice, "0", met=twice == 0)


async def _submit(client: httpx.AsyncClient, body: bytes) -> str:
    answer = await client.post(
        "/v1/jobs", content=body, headers={"Content-Type": "application/zip"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def _key(data: Path) -> str:
    database = Database("", data_folder=str(data))
    _, text = await ApiKeys(database).create("trial", [Scope.ANALYSE, Scope.HISTORY])
    await database.close()
    return text


def run(count: int, kills: int) -> Table:
    """Starts a server for the trial."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "CHESTXRAY_FILTER_CHECKPOINT": str(passing.write_filter(folder)),
            "CHESTXRAY_DATA_FOLDER": str(folder / "data"),
        }
        with serve(folder, **settings) as server:
            return asyncio.run(trial(server, folder / "data", count, kills))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    flags = parser.parse_args()
    table = run(flags.films, flags.kills)
    table.write()
    print(table.render())
    sys.exit(not table.met)
