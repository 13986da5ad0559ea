"""A rotation of the encryption keys includes the secrets of webhooks."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from bentos.administration import encryption_rotation
from bentos.history.encryption import Keyring
from bentos.history.history import History
from bentos.history_settings import parse_keys
from bentos.settings import Settings
from bentos.webhooks.endpoints import Endpoint, Endpoints
from tests import kept

BOTH = f"{kept.NEW_KEY},{kept.OLD_KEY}"
URL = "https://hospital.example/hook"


def settings(folder: Path, keys: str) -> Settings:
    return Settings(data_folder=str(folder / "data"), encryption_keys=SecretStr(keys))


def keyring(keys: str) -> Keyring:
    return Keyring(parse_keys(keys))


def made(folder: Path, keys: str) -> tuple[Endpoint, list[str]]:
    """A webhook whose secret was rotated, and both secrets, the newest first."""

    async def work(history: History) -> tuple[Endpoint, list[str]]:
        endpoints = Endpoints(history.database, keyring(keys))
        endpoint, old = await endpoints.create(kept.OWNER, URL)
        rotated = await endpoints.rotate(endpoint)
        assert rotated
        return rotated[0], [rotated[1], old]

    return kept.with_history(settings(folder, keys), work)


def secrets(folder: Path, keys: str) -> list[str]:
    """What a gateway with these keys signs with."""

    async def work(history: History) -> list[str]:
        (endpoint,) = await Endpoints(history.database, keyring(keys)).list(kept.OWNER)
        return endpoint.secrets(keyring(keys), now=endpoint.created_at)

    return kept.with_history(settings(folder, keys), work)


@pytest.mark.parametrize("before", ["", kept.OLD_KEY])
def test_secrets_are_encrypted_with_the_first_key(
    tmp_path: Path, before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, signing = made(tmp_path, before)
    assert (signing[0].encode() in endpoint.secret) == (not before)

    assert asyncio.run(encryption_rotation.rotate(settings(tmp_path, BOTH))) == 0
    assert "secrets of webhooks: 1" in capsys.readouterr().out
    assert secrets(tmp_path, kept.NEW_KEY) == signing


def test_secret_whose_key_is_not_configured_is_told_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, signing = made(tmp_path, kept.OLD_KEY)

    assert asyncio.run(encryption_rotation.rotate(settings(tmp_path, kept.NEW_KEY))) == 1
    assert "webhooks whose secrets need an older key: 1" in capsys.readouterr().err
    assert secrets(tmp_path, kept.OLD_KEY) == signing


def test_rotated_secret_keeps_one_key_for_both(tmp_path: Path) -> None:
    async def work(history: History) -> tuple[Endpoint, list[str]]:
        endpoint, first = await Endpoints(history.database, keyring(kept.OLD_KEY)).create(
            kept.OWNER, URL
        )
        rotated = await Endpoints(history.database, keyring(BOTH)).rotate(endpoint)
        assert rotated
        return rotated[0], [rotated[1], first]

    endpoint, signing = kept.with_history(settings(tmp_path, BOTH), work)

    assert endpoint.encryption_key == "new"
    assert secrets(tmp_path, kept.NEW_KEY) == signing
