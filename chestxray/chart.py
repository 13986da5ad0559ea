"""The text for the chart: a paragraph that says what was used, what it said, and its limits.

CFM Resolution 2.454/2026 (Brazil) asks a physician to note the use of such a tool in the chart.
The page has the same sentences in `web/locales`; a test compares them.
"""

from decimal import ROUND_HALF_UP, Decimal

from chestxray.results import Analysis
from chestxray.texts import probabilities

TEMPLATES = {
    "en": "Use of artificial intelligence, noted as CFM Resolution 2.454/2026 asks: radiograph "
    "analysed by {software} on {when} (models: {models}). Result: no opacity detected "
    "{no_finding}; opacity, not COVID-like {lung_opacity}; COVID-19 {covid19}; any opacity "
    "{abnormal}. The scores from 0 to 1 split 1 among three classes; they are not the "
    "probability of disease. Limits: research use only, not a diagnosis; the models know "
    "three classes from public images of few hospitals and see no other disease. To be "
    "confirmed by a physician who has read the image.",
    "pt-BR": "Uso de inteligência artificial, registrado conforme a Resolução CFM 2.454/2026: "
    "radiografia analisada por {software} em {when} (modelos: {models}). Resultado: sem "
    "opacidade detectada {no_finding}; opacidade, não sugestiva de COVID-19 {lung_opacity}; "
    "COVID-19 {covid19}; alguma opacidade {abnormal}. As pontuações de 0 a 1 dividem 1 entre "
    "três classes; não são a probabilidade de doença. Limites: somente para pesquisa, não é "
    "laudo nem diagnóstico; os modelos conhecem três classes, de imagens públicas de poucos "
    "hospitais, e não veem outras doenças. A confirmar por um médico que tenha lido a imagem.",
    "es": "Uso de inteligencia artificial, anotado como pide la Resolución CFM 2.454/2026: "
    "radiografía analizada por {software} el {when} (modelos: {models}). Resultado: sin "
    "opacidad detectada {no_finding}; opacidad, no sugestiva de COVID-19 {lung_opacity}; "
    "COVID-19 {covid19}; alguna opacidad {abnormal}. Las puntuaciones de 0 a 1 reparten 1 "
    "entre tres clases; no son la probabilidad de enfermedad. Límites: solo para "
    "investigación, no es un diagnóstico; los modelos conocen tres clases, de imágenes "
    "públicas de pocos hospitales, y no ven otras enfermedades. A confirmar por un médico que "
    "haya leído la imagen.",
}
"""By the tags of `texts.LANGUAGES`."""

_DECIMAL_SIGNS = {"en": ".", "pt-BR": ",", "es": ","}
_DIGEST_LENGTH = len("sha256:") + 12
"""Enough of a digest to tell the weights apart."""


def text(analysis: Analysis, language: str) -> str:
    """Returns the paragraph. `language` is one of `texts.LANGUAGES`; the time is UTC."""
    models = (f"{name} {digest[:_DIGEST_LENGTH]}" for name, digest in analysis.models.items())
    values = {name: _number(p, language) for name, p in probabilities(analysis).items()}
    return TEMPLATES[language].format(
        software=analysis.software,
        when=f"{analysis.created_at:%Y-%m-%d %H:%M} UTC",
        models=", ".join(models),
        **values,
    )


def _number(value: float, language: str) -> str:
    """Two digits. Halves go up, as in a browser's Intl.NumberFormat: pages say the same."""
    rounded = Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return str(rounded).replace(".", _DECIMAL_SIGNS[language])
