"""The language of an answer's words, by Accept-Language."""

import pytest

from bentos.http.negotiation import language

OFFERED = ("en", "pt-BR", "es")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT, en;q=0.9", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("es-419", "es"),
        ("en;q=0.2, es;q=0.8", "es"),
        ("fr, de;q=0.9", "en"),
        ("fr, es;q=0.1", "es"),
        ("es;q=0", "en"),
        ("*", "en"),
        ("es;q=nonsense, pt;q=0.1", "pt-BR"),
        (";;;,,,", "en"),
    ],
)
def test_language_is_the_preferred_one_that_there_is(accepted: str, expected: str) -> None:
    assert language(accepted, OFFERED) == expected
