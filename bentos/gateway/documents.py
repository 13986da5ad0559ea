"""Answers an analysis with a FHIR Bundle, or with the text for the chart."""

import json
from http import HTTPStatus

import mimeparse
from fastapi import Request, Response

from bentos.gateway.pipeline import Job, Pipeline, algorithm
from bentos.http.negotiation import FHIR, TEXT, language
from bentos.http.problems import RequestProblem
from chestxray import chart
from chestxray.fhir import bundle
from chestxray.texts import LANGUAGES

MEDIA_TYPES = (FHIR, TEXT)
_VARY = {"Vary": "Accept, Accept-Language"}


def has_unknown_release(accepted: str) -> bool:
    """Whether a range of an Accept header asks for a release of FHIR that is not written here."""
    release = _release_of(accepted)
    return release is not None and release not in bundle.RELEASES


def check(request: Request, media_type: str) -> None:
    """Raises RequestProblem 406 for an unknown release of FHIR, before the image is read."""
    if media_type == FHIR:
        _release(request)


def respond(pipeline: Pipeline, job: Job, request: Request, media_type: str) -> Response:
    """Returns the document in the caller's language. Raises the job's error."""
    spoken = language(request.headers.get("accept-language", ""), LANGUAGES)
    headers = _VARY | {"Content-Language": spoken}
    if media_type == TEXT:
        return Response(chart.text(job.result, spoken), headers=headers, media_type=TEXT)
    release = _release(request)
    made = bundle.write(
        job.result,
        xray_filter=algorithm(pipeline.xray_filter),
        covid_classifier=algorithm(pipeline.covid_classifier),
        language=spoken,
        release=release,
    )
    described = f"{FHIR}; fhirVersion={release}"
    return Response(json.dumps(made, ensure_ascii=False), headers=headers, media_type=described)


def _release(request: Request) -> str:
    """The release that the Accept header prefers, by the parameter fhirVersion (FHIR R4, 3.1.0.1.15
    "FHIR Version"). A range without it means the default. Raises RequestProblem 406.
    """
    wanted: dict[str, float] = {}
    for each in ",".join(request.headers.getlist("accept")).lower().split(","):
        if (release := _release_of(each)) is not None:
            wanted[release] = float(mimeparse.parse_media_range(each)[2]["q"])
    known = [each for each in bundle.RELEASES if wanted.get(each)]
    if wanted and not known:
        offered = [f"{FHIR}; fhirVersion={each}" for each in bundle.RELEASES]
        raise RequestProblem(
            HTTPStatus.NOT_ACCEPTABLE,
            "not-acceptable",
            f"the Accept header allows none of the available releases: {', '.join(offered)}",
            headers=_VARY,
            offered=offered,
        )
    return max(known, key=wanted.__getitem__, default=bundle.R4)


def _release_of(accepted: str) -> str | None:
    """The release of a range; None if it is none of FHIR."""
    if accepted.partition(";")[0].strip() != FHIR:
        return None
    values: dict[str, str] = mimeparse.parse_media_range(accepted)[2]
    return values.get("fhirversion", bundle.R4).strip('"')
