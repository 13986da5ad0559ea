"""Answers an analysis with a FHIR Bundle, or with the text for the chart."""

import json

from fastapi import Request, Response

from bentos.gateway.image_task import ImageTask
from bentos.gateway.pipeline import Pipeline
from bentos.http.negotiation import FHIR, TEXT, language
from chestxray import chart
from chestxray.dicom.instance import Instance
from chestxray.dicom.signature import is_dicom
from chestxray.errors import UnreadableImage
from chestxray.fhir import bundle
from chestxray.fhir.elements import RELEASES
from chestxray.texts import LANGUAGES

BUNDLES = {f"{FHIR}; fhirVersion={each}": each for each in RELEASES}
"""Releases by media type with its parameter (FHIR R4, 3.1.0.1.15, "FHIR Version"); the first is
meant where a caller does not name any."""
MEDIA_TYPES = (*BUNDLES, TEXT)
_VARY = {"Vary": "Accept, Accept-Language"}


async def respond(
    pipeline: Pipeline, task: ImageTask, request: Request, media_type: str, *, picture: bool
) -> Response:
    """Returns the document in the caller's language. Raises the task's error.

    `picture` says whether a Bundle has the heatmap drawn over the image.
    """
    spoken = language(request.headers.get("accept-language", ""), LANGUAGES)
    headers = _VARY | {"Content-Language": spoken}
    if media_type == TEXT:
        return Response(chart.text(task.result, spoken), headers=headers, media_type=TEXT)
    xray_filter, covid_classifier = pipeline.algorithms(task.result)
    made = bundle.write(
        task.result,
        xray_filter=xray_filter,
        covid_classifier=covid_classifier,
        language=spoken,
        release=BUNDLES[media_type],
        instance=await _identify(pipeline, task),
        png=await pipeline.draw(task) if picture else None,
    )
    return Response(json.dumps(made, ensure_ascii=False), headers=headers, media_type=media_type)


async def _identify(pipeline: Pipeline, task: ImageTask) -> Instance | None:
    """Returns which object of which study the image is, or None if its header does not say.

    Raises AnalysisError.
    """
    if not is_dicom(task.upload.data):
        return None
    try:
        return await pipeline.identify(task.upload.data)
    except UnreadableImage:  # it was read; so it is the names that it lacks
        return None
