"""What the page claims is what holds, in every language and where it is read."""

import json
import re

import lxml.html
import pytest

from bentos.settings import WEB

LANGUAGES = ["en", "pt", "es"]
DOCUMENT = lxml.html.fromstring((WEB / "index.html").read_bytes())
NOT_KNOWN = {
    "en": ["tuberculosis", "pneumothorax", "nodule", "effusion", "heart"],
    "pt": ["tuberculose", "pneumotórax", "nódulo", "derrame", "coração"],
    "es": ["tuberculosis", "neumotórax", "nódulo", "derrame", "corazón"],
}


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((WEB / "locales" / f"{language}.json").read_text())
    return found


def limits() -> list[str]:
    """Keys of the limits, in the order in which they are read."""
    items = DOCUMENT.xpath("//*[@id='limits']/following-sibling::ul[1]/li/@data-text")
    return [str(each) for each in items]


@pytest.mark.parametrize("language", LANGUAGES)
def test_first_limit_and_first_words_name_what_the_model_does_not_know(language: str) -> None:
    assert limits()[0] == "limits.scope"
    for key in ("limits.scope", "try.lead"):
        assert [each for each in NOT_KNOWN[language] if each not in texts(language)[key]] == []


@pytest.mark.parametrize(
    ("language", "words"), [("en", "mirrored"), ("pt", "espelhada"), ("es", "en espejo")]
)
def test_limits_say_that_a_mirrored_film_is_not_noticed(language: str, words: str) -> None:
    assert words in texts(language)["limits.side"]
    assert "limits.side" in limits()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "of other patients than the training images; some of the hospitals are the same"),
        (
            "pt",
            "de outros pacientes que os das imagens de treinamento; alguns dos hospitais são os",
        ),
        ("es", "de otros pacientes que los de las imágenes de entrenamiento; algunos de los hosp"),
    ],
)
def test_external_images_are_described_as_of_other_patients(language: str, words: str) -> None:
    assert words in texts(language)["data.text"]
    assert DOCUMENT.xpath("//*[@data-text='data.text']")


@pytest.mark.parametrize(
    ("language", "erased", "closing"),
    [
        ("en", "erased the next time this page is opened", r"until you [^.]* close"),
        ("pt", "apagado na próxima vez que esta página for aberta", r"até você [^.]* fechar"),
        ("es", "se borra la próxima vez que se abra esta página", r"hasta que [^.]* cierre"),
    ],
)
def test_closed_tab_is_not_said_to_erase_the_history(
    language: str, erased: str, closing: str
) -> None:
    assert erased in texts(language)["privacy.browser"]
    assert not re.search(closing, texts(language)["privacy.browser"])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Usually under a second after upload"),
        ("pt", "Em geral, menos de um segundo após o envio"),
        ("es", "Por lo general, menos de un segundo después del envío"),
    ],
)
def test_speed_is_said_without_the_time_of_the_upload(language: str, words: str) -> None:
    assert texts(language)["try.lead"].startswith(words)
