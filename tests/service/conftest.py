"""Fixtures: a running server with the shipped weights, and the app over fake models."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.callers.api_keys import ApiKeys
from bentos.callers.caller import Scope
from bentos.database.database import Database
from bentos.decoding.decoders import Decoders
from bentos.settings import Settings
from bentos.sign_in.sign_in import SignIn
from tests.phantoms import encode, phantom
from tests.service import object_store, passing, postgres, signing_in
from tests.service.dicom_node import Archive, Node, archive, node, to
from tests.service.fakes import FakeModels, app_over, client_of
from tests.service.faulty_provider import Provider, faulty_provider
from tests.service.keeping import SECRET as COOKIE_SECRET
from tests.service.keeping import run_gateways
from tests.service.object_store import ObjectStore
from tests.service.postgres import Postgres
from tests.service.receivers import Receiver, receiver
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
def kept_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `keeping_server`."""
    return tmp_path_factory.mktemp("keeping") / "data"


@pytest.fixture(scope="session")
def keeping_server(passing_filter: Path, kept_data: Path) -> Iterator[Server]:
    """A server like `open_server` that keeps analyses, in SQLite and a folder."""
    environment = NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_DATA_FOLDER": str(kept_data),
        "CHESTXRAY_MAX_JOB_IMAGES": "5",
    }
    with serve(kept_data.parent, **environment) as running:
        yield running


@pytest.fixture(scope="session")
def database_server() -> Iterator[Postgres]:
    with postgres.postgres() as running:
        yield running


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.object_store(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(
    params=[
        "SQLite and a folder",
        pytest.param("PostgreSQL and S3", marks=[postgres.needed(), object_store.needed()]),
    ]
)
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Settings of an empty place for kept analyses."""
    if request.param.startswith("SQLite"):
        return {"data_folder": str(tmp_path / "data")}
    bucket_server: ObjectStore = request.getfixturevalue("bucket_server")
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    return {
        "database": request.getfixturevalue("database_server").database(),
        "object_store": bucket_server.bucket(f"kept-{uuid.uuid4().hex}"),
    }


@pytest.fixture
def run_keeping(
    random_filter: Path, random_classifier: Path, storage: dict[str, Any]
) -> Callable[..., None]:
    """Runs an async test with gateways that share a place for kept analyses."""
    return partial(run_gateways, weights=[random_filter, random_classifier], storage=storage)


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiver(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def keeping_key(keeping_server: Server, kept_data: Path) -> str:
    """An API key of that server that may do all."""

    async def create() -> str:
        database = Database("", data_folder=str(kept_data))
        _, text = await ApiKeys(database).create("tests", list(Scope))
        await database.close()
        return text

    return asyncio.run(create())


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


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of OpenID Connect that a test may change."""
    with faulty_provider() as running:
        yield running


@pytest.fixture
def run_client(provider: Provider, tmp_path: Path) -> Callable[..., None]:
    """Runs an async test with a client of the provider."""

    def start(test: Callable[[SignIn], Awaitable[Any]], **changes: Any) -> None:
        settings = Settings(
            data_folder=str(tmp_path), **signing_in.settings_of(provider, **changes)
        )

        async def main() -> None:
            database = Database("", data_folder=str(tmp_path))
            made = SignIn(settings, database, COOKIE_SECRET)
            try:
                await test(made)
            finally:
                await made.close()
                await database.close()

        asyncio.run(main())

    return start
