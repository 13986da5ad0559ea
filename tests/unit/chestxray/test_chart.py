"""The text for the chart says tool, version, result and limits, in three languages."""

import json

import pytest

from bentos.settings import WEB
from chestxray import chart, texts
from chestxray.labels import FINDINGS
from tests.results_in_study import CLASSIFIER, FILTER, analysis, film

LOCALES = {"en": "en", "pt-BR": "pt", "es": "es"}


def test_text_has_tool_version_models_date_result_and_limits() -> None:
    made = analysis(film())

    said = chart.text(made, "en")

    assert f"{made.software} on 2026-11-27 10:20 UTC" in said
    for model in (FILTER, CLASSIFIER):
        assert f"{model.name} {model.digest[:19]}" in said
    assert (
        "no opacity detected 0.10; opacity, not COVID-like 0.25; COVID-19 0.65; any opacity 0.90."
        in said
    )
    assert "not a diagnosis" in said and "physician" in said and "2.454/2026" in said


@pytest.mark.parametrize("language", ["pt-BR", "es"])
def test_numbers_have_a_decimal_comma_where_the_language_has_one(language: str) -> None:
    assert "COVID-19 0,65" in chart.text(analysis(film()), language)


def test_halves_are_rounded_up_as_browsers_do() -> None:
    made = analysis(film())
    values = dict(zip(FINDINGS, (0.125, 0.375, 0.5), strict=True))
    prediction = made.prediction.model_copy(update={"probabilities": values})

    said = chart.text(made.model_copy(update={"prediction": prediction}), "en")

    assert "no opacity detected 0.13; opacity, not COVID-like 0.38" in said


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_page_has_the_same_sentences(language: str) -> None:
    locale = json.loads((WEB / "locales" / f"{LOCALES[language]}.json").read_text())

    assert locale["chart.text"] == chart.TEMPLATES[language]
