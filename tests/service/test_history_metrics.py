"""Gateways that keep analyses count them, their sweeps, and failures of the storage."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from bentos.database.database import Database
from bentos.database.errors import StorageUnavailable
from bentos.database.tables import analyses
from bentos.history.blobs import PICTURES, open_blobs
from bentos.history.encryption import Keyring
from bentos.history_metrics import create_history_series, get_history_metrics
from bentos.metric_labels import StoragePart, Swept
from loadtests.load_generator import free_port
from tests.service.keeping import Gateway, keep
from tests.service.server import Server
from tests.waiting import until

SWEEPS = {f'chestxray_last_sweep_timestamp_seconds{{kind="{each}"}}' for each in Swept}
SERIES = SWEEPS | {
    "chestxray_kept_analyses",
    "chestxray_kept_bytes",
    "chestxray_kept_limit_bytes",
    "chestxray_swept_total",
    'chestxray_storage_failures_total{part="database"}',
    'chestxray_storage_failures_total{part="object_store"}',
}


def value(name: str, **labels: str) -> float:
    get_history_metrics()
    return REGISTRY.get_sample_value(name, labels) or 0.0


def failures(part: StoragePart) -> float:
    return value("chestxray_storage_failures_total", part=part)


def shown(server: Server) -> dict[str, float]:
    """The series of kept analyses that a server exports."""
    lines = [line.rpartition(" ") for line in httpx.get(f"{server.url}/metrics").text.splitlines()]
    return {name: float(number) for name, _, number in lines if name in SERIES}


def test_gateway_without_a_place_exports_no_series_of_kept_analyses(server: Server) -> None:
    assert shown(server) == {}


def test_gateway_that_keeps_exports_every_series_and_sweeps(keeping_server: Server) -> None:
    until(lambda: all(shown(keeping_server).get(name, 0) > 0 for name in SWEEPS))
    found = shown(keeping_server)

    assert set(found) == SERIES
    assert all(abs(found[name] - time.time()) < 3600 for name in SWEEPS)
    assert found["chestxray_kept_limit_bytes"] == 16 * 2**30


def test_sweep_measures_what_is_kept_and_counts_what_it_deletes(
    run_keeping: Callable[..., None],
) -> None:
    async def test(gateway: Gateway) -> None:
        records = [await keep(gateway.client) for _ in range(3)]
        before = value("chestxray_swept_total")

        await gateway.history.archive.sweep()
        kept = value("chestxray_kept_analyses"), value("chestxray_kept_bytes")
        past = datetime.now(UTC) - timedelta(seconds=1)
        gone = analyses.c.id == records[0].json()["id"]
        async with gateway.history.database.writing() as connection:
            await connection.execute(update(analyses).where(gone).values(expires_at=past))
        await gateway.history.archive.sweep()

        assert kept == (3, gateway.history.archive.total_bytes * 3 / 2)
        assert value("chestxray_kept_analyses") == 2
        assert value("chestxray_kept_bytes") == gateway.history.archive.total_bytes
        assert value("chestxray_swept_total") == before + 1
        swept = value("chestxray_last_sweep_timestamp_seconds", kind=Swept.ANALYSES)
        assert abs(swept - time.time()) < 60

    run_keeping(test)


def test_database_that_refuses_connections_counts_as_a_failure() -> None:
    async def connect() -> None:
        async with Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none").reading():
            pass

    before = failures(StoragePart.DATABASE), failures(StoragePart.OBJECT_STORE)

    with pytest.raises(StorageUnavailable):
        asyncio.run(connect())

    after = failures(StoragePart.DATABASE), failures(StoragePart.OBJECT_STORE)
    assert after == (before[0] + 1, before[1])


def test_folder_that_cannot_be_written_counts_as_a_failure_of_the_object_store(
    tmp_path: Path,
) -> None:
    blobs = open_blobs("", data_folder=str(tmp_path), keyring=Keyring({}), part=PICTURES)
    (tmp_path / PICTURES / "ab").write_text("a file where a folder is to be")
    before = failures(StoragePart.DATABASE), failures(StoragePart.OBJECT_STORE)

    with pytest.raises(StorageUnavailable):
        asyncio.run(blobs.put("ab/abc.image", b"data"))
    assert asyncio.run(blobs.get("cd/none.image", encrypted=False)) is None

    after = failures(StoragePart.DATABASE), failures(StoragePart.OBJECT_STORE)
    assert after == (before[0], before[1] + 1)


def test_limit_is_that_of_the_settings() -> None:
    create_history_series(get_history_metrics(), max_bytes=12345)

    assert value("chestxray_kept_limit_bytes") == 12345
