"""The database or the object store is gone: analyses go on, and nothing needs a restart."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.database import schema
from bentos.database.database import Database
from tests.phantoms import encode, phantom
from tests.service import object_store, postgres
from tests.service.conftest import NO_SHEDDING
from tests.service.fakes import DARK, check_problem, form
from tests.service.keeping import KEEP, SECRET, Gateway, keep, run_gateways
from tests.service.object_store import ObjectStore
from tests.service.postgres import Postgres
from tests.service.server import serve
from tests.waiting import until

pytestmark = [postgres.needed(), object_store.needed()]
_BUCKET = "outages"


@pytest.fixture
def own_database() -> Iterator[Postgres]:
    """A server that nothing else uses."""
    with postgres.postgres() as running:
        yield running


@pytest.fixture
def own_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with object_store.object_store(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.bucket(_BUCKET)
        yield running


@pytest.fixture
def run_alone(
    own_database: Postgres, own_bucket: ObjectStore, random_filter: Path, random_classifier: Path
) -> Callable[..., None]:
    storage: dict[str, Any] = {
        "database": own_database.database(),
        "object_store": f"s3://{_BUCKET}",
    }
    return lambda test: run_gateways(test, [random_filter, random_classifier], storage)


async def check_refused(client: httpx.AsyncClient) -> None:
    """Analyses go on, and none is kept; each is answered soon."""
    async with asyncio.timeout(20):
        assert (await client.post("/v1/analyses", **form(DARK))).status_code == 200
        refused = await client.post(KEEP, **form(DARK))
    check_problem(refused, 503, "storage-unavailable")
    assert int(refused.headers["retry-after"]) > 0


def test_database_that_is_gone_stops_nothing_but_keeping(
    run_alone: Callable[..., None], own_database: Postgres
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = (await keep(client)).json()["id"]
        own_database.stop()

        await check_refused(client)  # the key is remembered for a while
        check_problem(await client.get("/v1/analyses"), 503, "storage-unavailable")
        unknown = gateway.visitor()
        unknown.headers["Authorization"] = f"Bearer cxr_{16 * '0'}_{43 * 'x'}"
        check_problem(await unknown.post("/v1/analyses", **form(DARK)), 503, "storage-unavailable")
        own_database.start()
        assert (await client.get(f"/v1/analyses/{made}")).status_code == 200
        await keep(client)

    run_alone(test)


def test_object_store_that_is_gone_stops_nothing_but_keeping(
    run_alone: Callable[..., None], own_bucket: ObjectStore
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = (await keep(client)).json()["id"]
        own_bucket.stop()

        await check_refused(client)
        check_problem(await client.get(f"/v1/analyses/{made}/image"), 503, "storage-unavailable")
        assert (await client.get(f"/v1/analyses/{made}")).status_code == 200
        assert (await client.delete(f"/v1/analyses/{made}")).status_code == 204
        check_problem(await client.get(f"/v1/analyses/{made}"), 404, "no-such-analysis")
        own_bucket.start()
        own_bucket.bucket(_BUCKET)
        await keep(client)

    run_alone(test)


def test_service_starts_without_its_database_and_keeps_once_that_is_there_and_migrated(
    own_database: Postgres, own_bucket: ObjectStore, passing_filter: Path, tmp_path: Path
) -> None:
    environment = NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_DATABASE": own_database.database(),
        "CHESTXRAY_OBJECT_STORE": f"s3://{_BUCKET}",
        "CHESTXRAY_COOKIE_SECRET": SECRET,
    }
    own_database.stop()
    image = form(encode(phantom(300, 300), "PNG"))

    with serve(tmp_path, **environment) as server, httpx.Client(base_url=server.url) as client:
        assert client.post("/v1/analyses", **image, timeout=30).status_code == 200
        refused = client.post(KEEP, **image, timeout=30)
        check_problem(refused, 503, "storage-unavailable")
        own_database.start()
        check_problem(client.post(KEEP, **image, timeout=30), 503, "storage-unavailable")
        asyncio.run(_migrate(environment["CHESTXRAY_DATABASE"]))
        until(lambda: client.post(KEEP, **image, timeout=30).status_code == 201)
        log = server.log.read_text()

    assert "kept analyses are unavailable" in log
    assert log.count("Traceback") == 0


async def _migrate(address: str) -> None:
    database = Database(address)
    await schema.migrate(database)
    await database.close()
