"""The text for the chart: a paragraph that says what was used, what it said, and its limits.

CFM Resolution 2.454/2026 (Brazil) asks a physician to note the use of such a tool in the chart.
The page has the same sentences in `web/locales`; a test compares them.
"""

from decimal import ROUND_HALF_UP, Decimal

from chestxray.results import Analysis
from chestxray.texts import probabilities

TEMPLATES = {
    "en": "Use of artificial intelligence, noted as CFM Resolution 2.454/2026 asks: radiograph "
    "analysed by {software} on {when} (models: {models}). Result: no finding {no_finding}, lung "
    "opacity {lung_opacity}, COVID-19 {covid19}; any finding {abnormal}. The values from 0 to 1 "
    "divide the model's belief among its classes; they are no probability of disease. Limits: "
    "research use only, not a diagnosis; the models know three classes from public images of few "
    "hospitals and see no other disease. To be confirmed by a physician who has read the image.",
    "pt-BR": "Uso de inteligência artificial, registrado conforme a Resolução CFM 2.454/2026: "
    "radiografia analisada por {software} em {when} (modelos: {models}). Resultado: sem achados "
    "{no_finding}, opacidade pulmonar {lung_opacity}, COVID-19 {covid19}; algum achado "
    "{abnormal}. Os valores de 0 a 1 dividem a convicção do modelo entre as suas classes; não são "
    "a probabilidade de doença. Limites: somente para pesquisa, não é um diagnóstico; os modelos "
    "conhecem três classes, de imagens públicas de poucos hospitais, e não veem outras doenças. A "
    "confirmar por um médico que tenha lido a imagem.",
    "es": "Uso de inteligencia artificial, anotado como pide la Resolución CFM 2.454/2026: "
    "radiografía analizada por {software} el {when} (modelos: {models}). Resultado: sin hallazgos "
    "{no_finding}, opacidad pulmonar {lung_opacity}, COVID-19 {covid19}; algún hallazgo "
    "{abnormal}. Los valores de 0 a 1 reparten la convicción del modelo entre sus clases; no son "
    "la probabilidad de enfermedad. Límites: solo para investigación, no es un diagnóstico; los "
    "modelos conocen tres clases, de imágenes públicas de pocos hospitales, y no ven otras "
    "enfermedades. A confirmar por un médico que haya leído la imagen.",
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
