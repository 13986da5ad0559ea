"""The radiograph with the heatmap over it: Media in R4, and in R5, without Media, a document."""

import base64
from dataclasses import dataclass, field

from chestxray import texts
from chestxray.fhir import codes
from chestxray.fhir.elements import R4, Resource, identifier, instant, urn
from chestxray.results import Analysis


@dataclass(frozen=True)
class Picture:
    """What a Bundle says of the picture: its resource by URN, and elements of the report."""

    resources: dict[str, Resource] = field(default_factory=dict)
    of_report: Resource = field(default_factory=dict)


def write(
    analysis: Analysis, png: bytes | None, *, device: str, language: str, release: str
) -> Picture:
    """Returns what is said of the picture, a PNG file; nothing if there is none."""
    if png is None:
        return Picture()
    url, said = urn(analysis.id, "picture"), _title(analysis, language)
    attachment = {
        "contentType": "image/png",
        "language": language,
        "data": base64.b64encode(png).decode(),
        "title": said,
    }
    described = {
        "meta": {"security": [codes.RESEARCH]},
        "language": language,
        "identifier": [identifier(url)],
    }
    more = _media if release == R4 else _document
    return Picture(
        {url: described | more(analysis, attachment, device, language)},
        of_report={"media": [{"comment": said, "link": {"reference": url}}]},
    )


def _title(analysis: Analysis, language: str) -> str:
    """What the picture shows."""
    where, label = (texts.text(n, language) for n in ("where", analysis.prediction.label))
    return f"{where}: {label}"


def _media(analysis: Analysis, attachment: Resource, device: str, language: str) -> Resource:
    return {
        "resourceType": "Media",
        "status": "completed",
        "type": codes.IMAGE,
        "issued": instant(analysis),
        "device": {"reference": device},
        "content": attachment,
        "note": [{"text": texts.text("title", language)}],
    }


def _document(analysis: Analysis, attachment: Resource, device: str, language: str) -> Resource:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "preliminary",
        "date": instant(analysis),
        "author": [{"reference": device}],
        "description": texts.text("title", language),
        "content": [{"attachment": attachment}],
    }
