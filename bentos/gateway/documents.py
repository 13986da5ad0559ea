"""Answers an analysis with a FHIR Bundle, or with the text for the chart."""

import json

from fastapi import Request, Response

from bentos.gateway.pipeline import Job, Pipeline, algorithm
from bentos.http.negotiation import FHIR, TEXT, language
from chestxray import chart
from chestxray.fhir import bundle
from chestxray.texts import LANGUAGES

_RELEASES = {f"{FHIR}; fhirVersion={each}": each for each in bundle.RELEASES}
"""By media type with its parameter (FHIR R4, 3.1.0.1.15, "FHIR Version"); the first is meant where
a caller does not name any."""
MEDIA_TYPES = (*_RELEASES, TEXT)
_VARY = {"Vary": "Accept, Accept-Language"}


def respond(pipeline: Pipeline, job: Job, request: Request, media_type: str) -> Response:
    """Returns the document in the caller's language. Raises the job's error."""
    spoken = language(request.headers.get("accept-language", ""), LANGUAGES)
    headers = _VARY | {"Content-Language": spoken}
    if media_type == TEXT:
        return Response(chart.text(job.result, spoken), headers=headers, media_type=TEXT)
    made = bundle.write(
        job.result,
        xray_filter=algorithm(pipeline.xray_filter),
        covid_classifier=algorithm(pipeline.covid_classifier),
        language=spoken,
        release=_RELEASES[media_type],
    )
    return Response(json.dumps(made, ensure_ascii=False), headers=headers, media_type=media_type)
