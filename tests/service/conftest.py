"""Fixtures: a running server with the shipped weights, and the app over fake models."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.decoding.decoders import Decoders
from bentos.settings import Settings
from tests.phantoms import encode, phantom
from tests.service import passing
from tests.service.dicom_node import Archive, Node, archive, node, to
from tests.service.fakes import FakeModels, app_over, client_of
from tests.service.server import Server, serve

NO_SHEDDING = {"CHESTXRAY_MAX_QUEUE_SECONDS": "60"}
"""Concurrent test requests are admitted however slow the machine is."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("server"), **NO_SHEDDING) as running:
        yield running


@pytest.fixture(scope="session")
def passing_filter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped filter with a threshold that accepts every image."""
    return passing.write_filter(tmp_path_factory.mktemp("passing"))


@pytest.fixture(scope="session")
def open_server(passing_filter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose filter accepts every image, so that both models run."""
    environment = NO_SHEDDING | {"CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter)}
    with serve(tmp_path_factory.mktemp("open"), **environment) as running:
        yield running


@pytest.fixture(scope="session")
def keeping_server(
    passing_filter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server like `open_server` that keeps analyses, in SQLite and a folder."""
    folder = tmp_path_factory.mktemp("keeping")
    environment = NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_DATA_FOLDER": str(folder / "data"),
    }
    with serve(folder, **environment) as running:
        yield running


@pytest.fixture
def store() -> Iterator[Archive]:
    with archive() as made:
        yield made


@pytest.fixture
def running(tmp_path: Path, open_server: Server, store: Archive) -> Iterator[Node]:
    """A DICOM node between `open_server` and `store`."""
    with node(tmp_path, open_server.url, to(store)) as made:
        yield made


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


Test = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
def run(models: FakeModels, random_filter: Path, random_classifier: Path) -> Callable[..., None]:
    """Runs an async test against the app, with the given settings."""

    def start(test: Test, **changes: Any) -> None:
        settings = Settings(**changes)
        decoders = Decoders(
            settings.limits, settings.process_limits, processes=settings.decode_processes
        )
        app = app_over(models, [random_filter, random_classifier], settings, decoders)

        async def main() -> None:
            async with client_of(app) as client:
                await test(client)

        try:
            asyncio.run(main())
        finally:
            decoders.close()

    return start


@pytest.fixture(scope="session")
def png() -> bytes:
    """A small radiograph as a PNG file."""
    return encode(phantom(300, 300), "PNG")
