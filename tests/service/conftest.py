"""One server with the shipped weights for tests that need a real one, and the app over fakes."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.settings import Settings
from tests.conftest import ROOT
from tests.service.fakes import FakeRunners, app_over, client_of
from tests.service.server import Server, serve


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve("service:Gateway", tmp_path_factory.mktemp("server"), cwd=ROOT) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


Test = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture
def runners() -> FakeRunners:
    return FakeRunners()


@pytest.fixture
def run(runners: FakeRunners, random_filter: Path, random_classifier: Path) -> Callable[..., None]:
    """Runs an async test against the app, with settings of its own."""

    def start(test: Test, **settings: Any) -> None:
        app = app_over(runners, [random_filter, random_classifier], Settings(**settings))

        async def main() -> None:
            async with client_of(app) as client:
                await test(client)

        asyncio.run(main())

    return start
