"""An operator's commands beside a running service that admits nobody without a key."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chestxray.client import Client, ProblemError, Retries
from tests import kept
from tests.conftest import ROOT
from tests.service.conftest import NO_SHEDDING
from tests.service.dicom_node import Archive, node, send, to
from tests.service.server import Server, serve
from tests.service.test_dicom_node import film
from tests.waiting import until

ONCE = Retries(tries=1)


@pytest.fixture(scope="module")
def environment(passing_filter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_DATA_FOLDER": str(tmp_path_factory.mktemp("closed") / "data"),
        "CHESTXRAY_ENCRYPTION_KEYS": f"{kept.OLD_KEY},{kept.NEW_KEY}",
        "CHESTXRAY_ANONYMOUS": "false",
    }


@pytest.fixture(scope="module")
def closed(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("closed"), **environment) as running:
        yield running


def run(environment: dict[str, str], *words: str, **changes: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bentos.cli", *words],
        cwd=ROOT,
        env=os.environ | environment | changes,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def create(environment: dict[str, str], *, scopes: str = "analyse,history") -> str:
    return run(environment, "keys", "create", "portal", "--scopes", scopes).strip()


def status(server: Server, png: bytes, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{server.url}/v1/analyses", content=png, headers=headers).status_code


def test_key_admits_until_it_is_revoked(
    closed: Server, environment: dict[str, str], png: bytes
) -> None:
    key = create(environment)
    with Client(closed.url, retries=ONCE) as client, pytest.raises(ProblemError) as refused:
        client.analyze(png)
    with Client(closed.url, api_key=key) as client:
        assert client.analyze(png).id

    run(environment, "keys", "revoke", key.split("_")[1])

    assert refused.value.status == 401
    until(lambda: status(closed, png, key) == 401, seconds=10)


def test_both_secrets_admit_while_a_key_is_rotated(
    closed: Server, environment: dict[str, str], png: bytes
) -> None:
    old = create(environment)
    assert status(closed, png, old) == 200

    new = run(environment, "keys", "rotate", old.split("_")[1]).strip()

    until(lambda: status(closed, png, new) == 200, seconds=10)
    assert status(closed, png, old) == 200


def test_dicom_node_with_a_key_is_answered(
    closed: Server, environment: dict[str, str], store: Archive, tmp_path: Path
) -> None:
    key = {"CHESTXRAY_DICOM_SERVICE_KEY": create(environment, scopes="analyse")}
    with node(tmp_path, closed.url, to(store), **key) as running:
        assert send(running.port, film()) == [0]
        until(lambda: len(store.received) == 3 and not running.waiting())

        assert key["CHESTXRAY_DICOM_SERVICE_KEY"] not in running.log.read_text()


def test_dicom_node_without_a_key_tries_again(
    closed: Server, store: Archive, tmp_path: Path
) -> None:
    with node(tmp_path, closed.url, to(store)) as running:
        assert send(running.port, film()) == [0]
        until(lambda: "tried again: the service answered 401" in running.log.read_text())

        assert running.waiting() == 1


def test_analyses_stay_readable_while_their_key_is_replaced(
    closed: Server, environment: dict[str, str], png: bytes
) -> None:
    headers = {"Authorization": f"Bearer {create(environment)}"}
    with httpx.Client(base_url=closed.url, headers=headers, timeout=60) as client:
        made = [client.post("/v1/analyses?keep=true", content=png) for _ in range(5)]
        assert {each.status_code for each in made} == {201}
        rotating = subprocess.Popen(
            [sys.executable, "-m", "bentos.cli", "rotate-encryption"],
            cwd=ROOT,
            env=os.environ
            | environment
            | {"CHESTXRAY_ENCRYPTION_KEYS": f"{kept.NEW_KEY},{kept.OLD_KEY}"},
        )
        while rotating.poll() is None:
            for each in made:
                assert client.get(f"{each.headers['location']}/image").status_code == 200
            time.sleep(0.05)

        assert rotating.returncode == 0
        for each in made:
            assert client.get(f"{each.headers['location']}/image").status_code == 200
    found = run(environment, "doctor", CHESTXRAY_ENCRYPTION_KEYS=kept.NEW_KEY)
    assert "encryption: with new" in found
