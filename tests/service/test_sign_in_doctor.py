"""`chestxray doctor` says whether people can sign in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bentos.administration import access_checks, sign_in_checks
from bentos.administration.findings import Finding
from bentos.settings import Settings
from tests.service.faulty_provider import Provider
from tests.service.signing_in import PUBLIC, settings_of


def found(provider: Provider, folder: Path, **changes: Any) -> list[Finding]:
    settings = Settings(data_folder=str(folder), **settings_of(provider, **changes))

    async def main() -> list[Finding]:
        return [each async for each in sign_in_checks.check(settings)]

    return asyncio.run(main())


def test_provider_that_answers_is_well(provider: Provider, tmp_path: Path) -> None:
    (finding,) = found(provider, tmp_path)

    assert finding.level == "ok"
    assert "1 keys" in finding.found and f"{PUBLIC}/sign-in/callback" in finding.found


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
def test_provider_that_does_not_answer_is_a_fault(
    provider: Provider, tmp_path: Path, path: str
) -> None:
    provider.raw = {path: (500, {}, b"")}

    (finding,) = found(provider, tmp_path)

    assert finding.level == "fault" and "CHESTXRAY_OIDC_ISSUER" in finding.remedy


def test_what_does_not_fit_is_named(provider: Provider, tmp_path: Path) -> None:
    provider.metadata |= {
        "id_token_signing_alg_values_supported": ["HS256", "none"],
        "code_challenge_methods_supported": ["plain"],
        "scopes_supported": ["openid"],
    }

    levels = [each.level for each in found(provider, tmp_path, oidc_scopes="groups")]

    assert levels == ["ok", "fault", "warning", "warning"]


def test_without_a_provider_nothing_is_said(tmp_path: Path) -> None:
    async def main() -> list[Finding]:
        return [each async for each in sign_in_checks.check(Settings())]

    assert asyncio.run(main()) == []


def test_nobody_needs_a_key_where_people_sign_in(provider: Provider, tmp_path: Path) -> None:
    closed = {"data_folder": str(tmp_path), "anonymous": False}

    async def checks(**values: Any) -> set[str]:
        settings = Settings(**(closed | values))
        return {each.check async for each in access_checks.check(settings)}

    assert "API keys" in asyncio.run(checks())
    assert "API keys" not in asyncio.run(checks(**settings_of(provider)))
