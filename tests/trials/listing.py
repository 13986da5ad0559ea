"""A page of the list of kept analyses costs the same, first or thousandth, of 100,000.

    python -m tests.trials.listing --records 100000

One caller has all records. The page is asked for by HTTP, in the process of the gateway, over
SQLite and over PostgreSQL where that is installed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import insert, select
from tqdm import tqdm

from bentos.database.tables import State, analyses, api_keys
from bentos.gateway import examples
from bentos.history.records import Position
from bentos.settings import Settings
from chestxray.results import Analysis
from tests.service.keeping import Gateway, run_gateways
from tests.trials.keeping import Storage, storages
from tests.trials.table import Table

_TARGET_MS, _SAMPLES, _PER_PAGE = 20.0, 200, 20
_PAGES = (1, 1000)
_BATCH = 1000


async def fill(gateway: Gateway, count: int) -> list[tuple[datetime, str]]:
    """Inserts records of the only key there is; returns their places, newest first."""
    async with gateway.history.database.reading() as connection:
        (key,) = (await connection.execute(select(api_keys.c.id))).scalars()
    now, places = datetime.now(UTC), []
    result = Analysis.model_validate(
        examples.ANSWERS["analyse_image"] | {"heatmap": _heatmap()}
    ).model_dump(mode="json")
    for begin in tqdm(range(0, count, _BATCH), unit_scale=_BATCH, unit=" records"):
        rows = []
        for number in range(begin, min(count, begin + _BATCH)):
            identifier, created = uuid.uuid4().hex, now - timedelta(seconds=number)
            places.append((created, identifier))
            shown = {"id": identifier, "created_at": created.isoformat()}
            rows.append(
                {
                    "id": identifier,
                    "owner": f"key:{key}",
                    "state": State.KEPT,
                    "created_at": created,
                    "expires_at": now + timedelta(days=30),
                    "result": result | shown,
                    "bytes": 0,
                    "encryption_key": "",
                    "fingerprint": "0" * 64,
                }
            )
        async with gateway.history.database.writing() as connection:
            await connection.execute(insert(analyses), rows)
    return places


def _heatmap() -> dict[str, object]:
    return {"label": "covid19", "grid": [[0.1234] * 14] * 14, "range": [0, 1]}


async def milliseconds(client: httpx.AsyncClient, cursor: str) -> float:
    """The median time of a page."""
    query = {"limit": str(_PER_PAGE)} | ({"cursor": cursor} if cursor else {})
    seconds = []
    for _ in range(_SAMPLES):
        begun = time.perf_counter()
        answer = await client.get("/v1/analyses", params=query)
        seconds.append(time.perf_counter() - begun)
        assert len(answer.json()["analyses"]) == _PER_PAGE
    return 1000 * statistics.median(seconds)


def measure(storage: Storage, weights: Sequence[Path], count: int, table: Table) -> None:
    """Adds the rows of one storage."""

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        places = await fill(gateway, count)
        for page in _PAGES:
            last = (page - 1) * _PER_PAGE - 1
            cursor = Position(*places[last]).encode() if page > 1 else ""
            found = await milliseconds(client, cursor)
            name = f"{storage.name}: page {page}, median of {_SAMPLES}, ms"
            wanted = f"< {_TARGET_MS:g}"
            table.add(name, found, wanted, met=found < _TARGET_MS, timed=True)

    os.environ.update(storage.environment)
    run_gateways(test, weights, {})


def trial(count: int) -> Table:
    """Both storages."""
    weights = [path for path, _ in Settings().checkpoints]
    how = f"{count} records of one caller, {_PER_PAGE} on a page, by HTTP."
    table = Table("listing", how)
    with tempfile.TemporaryDirectory() as name, storages(Path(name)) as places:
        for storage in places:
            measure(storage, weights, count, table)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    table = trial(parser.parse_args().records)
    table.write()
    print(table.render())
    sys.exit(not table.met)
