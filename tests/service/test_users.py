"""A service that runs as a user without a name, a home and an entry in passwd."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import NO_SHEDDING
from tests.service.server import serve

UID = 1000680000
"""In the range of an OpenShift namespace."""


@pytest.fixture
def writable() -> Iterator[Path]:
    """A folder that every user may write to, as an emptyDir is; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        for folder in (Path(name), Path(name) / "home"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        yield Path(name)


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root, and util-linux's setpriv, to become another user",
)
def test_service_analyses_images_as_a_user_without_a_name(
    writable: Path, png: bytes, passing_filter: Path
) -> None:
    command = ("tests.service.as_user", str(UID), "bentos.cli", "serve")
    settings = NO_SHEDDING | {"CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter)}

    with serve(writable, command=command, **settings) as server:
        assert {each.uids().real for each in server.processes()} == {UID}
        answer = httpx.post(f"{server.url}/v1/analyses", files={"image": png}, timeout=60)

    assert answer.status_code == 200
