"""Without a portal's own words the statements say what is true of the service as it is set up."""

import re
from pathlib import Path

import pytest

from bentos.portal import folder, statements
from bentos.portal.folder import LANGUAGES, PAGES
from bentos.settings import Settings
from tests import portal

NOT_SET = {
    "en": "not set by this operator",
    "pt": "não informado por este operador",
    "es": "no indicado por este operador",
}


def shown(page: str, language: str, place: str = "", **settings: object) -> str:
    found, written = statements.statement(
        page, language, portal=folder.read(place), settings=Settings(**settings)
    )
    assert written == language
    return found.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
def test_every_statement_exists_without_a_portal(page: str, language: str) -> None:
    html = shown(page, language)

    assert html.count(NOT_SET[language]) == 3
    assert not re.search("{[{%]|[%}]}|None|SecretStr", html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_contacts_of_the_portal_stand_in_the_shipped_statement(language: str) -> None:
    html = shown("accessibility", language, str(portal.EXAMPLE))

    assert NOT_SET[language] not in html
    assert 'href="mailto:encarregada@saude.example"' in html
    assert "Ministério da Saúde do Exemplo" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_privacy_names_what_is_kept_only_where_something_is(language: str, tmp_path: Path) -> None:
    nothing = shown("privacy", language)
    kept = shown("privacy", language, data_folder=str(tmp_path), retention_hours=72)

    assert "chestxray_visitor" not in nothing
    assert "chestxray_visitor" in kept
    assert re.search(r"\b72 (hours|horas)", kept)
    assert "chestxray_session" not in kept


@pytest.mark.parametrize("language", LANGUAGES)
def test_privacy_names_sign_in_audit_and_quotas_where_they_are_set(
    language: str, tmp_path: Path
) -> None:
    settings = {
        "data_folder": str(tmp_path),
        "audit_file": str(tmp_path / "audit"),
        "quota_store": "redis://secret@localhost/0",
        "oidc_issuer": "https://login.example",
        "oidc_client_id": "x",
        "public_url": "https://portal.example",
        "oidc_without_role": True,
        "oidc_session_hours": 5,
    }
    plain = shown("privacy", language, data_folder=str(tmp_path))
    html = shown("privacy", language, **settings)

    assert html.count("<tr>") == plain.count("<tr>") + 5
    assert re.search(r"\b5 (hours|horas)", html)
    assert "secret@" not in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_terms_say_that_nothing_is_a_diagnosis(language: str) -> None:
    html = shown("terms", language)

    assert re.search(
        r"<strong>[^<]*(not a diagnosis|nem diagnóstico|no es un diagnóstico)", html.lower()
    )


def test_own_text_is_shown_in_another_language_rather_than_ours(tmp_path: Path) -> None:
    place = portal.write(
        tmp_path,
        'name = "Portal"\nlanguage = "es"\n',
        privacy__pt__md="# Privacidade nossa",
        terms__pt__md="# Termos nossos",
        terms__es__md="# Los nuestros",
    )
    read, settings = folder.read(str(place)), Settings()

    def title(page: str, language: str) -> tuple[str, str]:
        found, written = statements.statement(page, language, portal=read, settings=settings)
        return found.title, written

    assert title("privacy", "en") == ("Privacidade nossa", "pt")
    assert title("terms", "en") == ("Los nuestros", "es")
    assert title("terms", "pt") == ("Termos nossos", "pt")
    assert title("accessibility", "en") == ("Accessibility", "en")
