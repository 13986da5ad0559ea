"""The address of a database is checked at the start, and shown without its secrets."""

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import make_url

from bentos.administration import opening
from bentos.database import database
from bentos.settings import Settings, explain

SECRET = "s3cret"


def settings(address: str) -> Settings:
    return Settings(database=SecretStr(address), data_folder="data")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (f"postgresql://user:{SECRET}@db.example:5433/name", "postgresql://db.example:5433/name"),
        (f"postgresql://{SECRET}@db/name?sslmode=require", "postgresql://db/name"),
        ("", "data/history.sqlite3"),
    ],
)
def test_place_has_neither_user_nor_password(address: str, place: str) -> None:
    assert opening.place_of(settings(address)) == place


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://user:{SECRET}@db/name",
        f"postgresql://user:{SECRET}@db:port/name",
        f"postgresql://user:x/{SECRET}@db/name",
        f"postgresql://user:{SECRET}@[::1/name",
        f"postgresql://user@db/name?password={SECRET}",
        f"postgresql://user:{SECRET}@db/name?sslmode=yes",
    ],
)
def test_address_that_cannot_work_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(address)

    assert SECRET not in "\n".join(explain(refused.value))


def test_ssl_mode_reaches_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(database, "create_async_engine", lambda url, **_: seen.append(url))

    database.Database("postgresql://user@db/name?sslmode=verify-full")

    assert seen == [make_url("postgresql+asyncpg://user@db/name?ssl=verify-full")]
