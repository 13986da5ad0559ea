"""One server with the shipped weights for all tests that need a real one."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import ROOT
from tests.service.server import Server, serve


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve("service:Gateway", tmp_path_factory.mktemp("server"), cwd=ROOT) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as session:
        yield session
