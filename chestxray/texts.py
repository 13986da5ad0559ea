"""What reports say in words, in the languages of the page."""

from chestxray.labels import Finding
from chestxray.results import Analysis

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Chest X-ray analysis by software. Research use only. Not a diagnosis.",
        "probability": "Probability",
        "score": "Score of an upright frontal chest X-ray",
        "verdict": "Kind of image",
        "use": "Intended use",
        "abnormal": "any opacity",
        "where": "Where the model looked",
        Finding.NO_FINDING: "no opacity detected",
        Finding.LUNG_OPACITY: "opacity, not COVID-like",
        Finding.COVID19: "COVID-19",
    },
    "pt-BR": {
        "title": "Análise de radiografia de tórax por software. Somente para pesquisa. Não é um "
        "diagnóstico.",
        "probability": "Probabilidade",
        "score": "Pontuação de radiografia frontal de tórax",
        "verdict": "Tipo de imagem",
        "use": "Uso previsto",
        "abnormal": "alguma opacidade",
        "where": "Onde o modelo olhou",
        Finding.NO_FINDING: "sem opacidade detectada",
        Finding.LUNG_OPACITY: "opacidade, não sugestiva de COVID-19",
        Finding.COVID19: "COVID-19",
    },
    "es": {
        "title": "Análisis de radiografía de tórax por software. Solo para investigación. No es un "
        "diagnóstico.",
        "probability": "Probabilidad",
        "score": "Puntuación de radiografía frontal de tórax",
        "verdict": "Tipo de imagen",
        "use": "Uso previsto",
        "abnormal": "alguna opacidad",
        "where": "Dónde miró el modelo",
        Finding.NO_FINDING: "sin opacidad detectada",
        Finding.LUNG_OPACITY: "opacidad, no sugestiva de COVID-19",
        Finding.COVID19: "COVID-19",
    },
}
LANGUAGES = tuple(_TEXTS)
"""RFC 5646 tags; the first is the default."""


ABNORMAL = "abnormal"
"""The name of any finding, beside those of the classes."""


def text(name: str, language: str) -> str:
    """One of the words above."""
    return _TEXTS[language][name]


def probabilities(analysis: Analysis) -> dict[str, float]:
    """Of each class and of any finding, by the name of its word."""
    classes = {str(name): p for name, p in analysis.prediction.probabilities.items()}
    return classes | {ABNORMAL: analysis.prediction.abnormal}


def lines(analysis: Analysis, language: str) -> list[str]:
    """A line for each probability."""
    return [f"{text(name, language)}: {p:.2f}" for name, p in probabilities(analysis).items()]
