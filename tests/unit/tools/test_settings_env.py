"""The ConfigMap has exactly the keys of the settings."""

import pytest

from bentos.settings import PREFIX, Settings
from tests.conftest import ROOT
from tools import settings_env


def values() -> dict[str, str]:
    lines = (ROOT / "k8s" / "base" / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_settings_env_is_up_to_date() -> None:
    assert (ROOT / "k8s" / "base" / "settings.env").read_text() == settings_env.render()


def test_settings_env_contains_every_setting_except_the_secrets() -> None:
    keys = {f"{PREFIX}{key.upper()}" for key in Settings.model_fields}
    secrets = (
        "POD_TOKEN",
        "POD_TOKEN_PREVIOUS",
        "DICOM_DESTINATION_AUTHORIZATION",
        "DICOM_SERVICE_KEY",
        "DATABASE",
        "ENCRYPTION_KEYS",
        "COOKIE_SECRET",
        "QUOTA_STORE",
        "OIDC_CLIENT_SECRET",
    )

    assert keys - set(values()) == {f"{PREFIX}{each}" for each in secrets}
    assert set(values()) <= keys


def test_settings_env_values_equal_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    monkeypatch.chdir(ROOT)
    for key, value in values().items():
        monkeypatch.setenv(key, value)

    read = Settings()

    for key in Settings.model_fields:
        wanted, found = getattr(defaults, key), getattr(read, key)
        if hasattr(wanted, "samefile"):
            assert found.samefile(wanted), key
        else:
            assert found == wanted, key
