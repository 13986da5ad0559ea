"""Answers an analysis with DICOM objects for the study of its radiograph."""

from http import HTTPStatus

from fastapi import Request, Response

from bentos.gateway.image_task import ImageTask
from bentos.gateway.pipeline import Pipeline
from bentos.http.negotiation import DICOM, JSON, PNG, RELATED, language
from bentos.http.problems import RequestProblem
from chestxray import related
from chestxray.dicom.signature import is_dicom
from chestxray.texts import LANGUAGES

_VARY = {"Vary": "Accept, Accept-Language"}


def check(data: bytes, media_type: str) -> None:
    """Raises RequestProblem 406 for an image that belongs to no study, before it is analysed."""
    if media_type in (DICOM, RELATED) and not is_dicom(data):
        raise RequestProblem(
            HTTPStatus.NOT_ACCEPTABLE,
            "not-acceptable",
            f"only a DICOM image has a study for {media_type}; accept {JSON} or {PNG}",
            headers=_VARY,
            offered=[JSON, PNG],
        )


async def respond(
    pipeline: Pipeline, task: ImageTask, request: Request, media_type: str
) -> Response:
    """Returns the report alone as application/dicom, or all objects as multipart/related.

    The words in them are of the caller's language. Raises the task's error.
    """
    files = await pipeline.write_objects(
        task,
        language=language(request.headers.get("accept-language", ""), LANGUAGES),
        report_alone=media_type == DICOM,
    )
    if media_type == DICOM:
        return Response(files[0], headers=_VARY, media_type=DICOM)
    described, body = related.message_of(files, of_type=DICOM)
    return Response(body, headers=_VARY | {"Content-Type": described})
