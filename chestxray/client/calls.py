"""The requests that the client makes, and how their answers are read; no input or output."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import httpx

from chestxray.client.errors import UnexpectedAnswer
from chestxray.client.refusals import refusal
from chestxray.client.results import Analysis, Problem
from chestxray.client.structure import structured
from chestxray.related import parts_of

Heatmaps: TypeAlias = Literal["cam", "all", "none"]
"""The map of the most probable class, of every class, or none."""
Result = TypeVar("Result")

_ONE, _SEVERAL = "/v1/analyses", "/v1/analyses/batch"
_JSON, _PNG = "application/json", "image/png"
_DICOM, _RELATED = "application/dicom", "multipart/related"
_BYTES = "application/octet-stream"
"""The media type of every image: the service goes by the content of the file."""


@dataclass(frozen=True)
class Answer:
    """An answer that was received wholly."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def media_type(self) -> str:
        """The media type without parameters; empty if there is none."""
        content_type: str = self.headers.get("content-type", "")
        return content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One request, without its deadline, and what its answer means."""

    path: str
    media_type: str
    """Of the answer."""
    body: Mapping[str, Any]
    """In httpx's terms."""
    parse: Callable[[Answer], Result]
    """Raises ValueError."""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, answer: Answer) -> Result:
        """Returns the result. Raises ProblemError, and UnexpectedAnswer."""
        if answer.status != HTTPStatus.OK:
            raise refusal(answer.status, answer.headers, answer.body)
        try:
            if answer.media_type != self.media_type:
                raise ValueError(f"its type is {answer.media_type!r}")
            return self.parse(answer)
        except ValueError as error:
            message = f"the answer is no {self.media_type} of this service: {error}"
            raise UnexpectedAnswer(message) from error


def analyze(image: bytes, heatmap: Heatmaps) -> Call[Analysis]:
    """Asks for the analysis of one image."""
    return _one(_JSON, image, _analysis, params={"heatmap": heatmap})


def analyze_batch(images: Sequence[bytes], heatmap: Heatmaps) -> Call[list[Analysis | Problem]]:
    """Asks for an analysis or a problem of each image."""
    # A part without a name of a file could be taken for text.
    files = [("image", ("image", image, _BYTES)) for image in images]
    parse = partial(_results, count=len(images))
    headers, params = {"Accept": _JSON}, {"heatmap": heatmap}
    return Call(_SEVERAL, _JSON, {"files": files}, parse, params, headers)


def heatmap(image: bytes) -> Call[bytes]:
    """Asks for the heatmap over the image, as PNG."""
    return _one(_PNG, image, _body)


def report(image: bytes, language: str) -> Call[bytes]:
    """Asks for the report of a DICOM image, as a DICOM object."""
    return _one(_DICOM, image, _body, headers={"Accept-Language": language})


def dicom_objects(image: bytes, language: str) -> Call[list[bytes]]:
    """Asks for all DICOM objects of a DICOM image."""
    accept = f'{_RELATED}; type="{_DICOM}"'
    headers = {"Accept": accept, "Accept-Language": language}
    return _one(_RELATED, image, _objects, headers=headers)


def _one(
    media_type: str,
    image: bytes,
    parse: Callable[[Answer], Result],
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call[Result]:
    every = {"Accept": media_type, "Content-Type": _BYTES, **(headers or {})}
    return Call(_ONE, media_type, {"content": image}, parse, params or {}, every)


def _body(answer: Answer) -> bytes:
    return answer.body


def _analysis(answer: Answer) -> Analysis:
    return structured(Analysis, json.loads(answer.body))


def _results(answer: Answer, *, count: int) -> list[Analysis | Problem]:
    document = json.loads(answer.body)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or len(results) != count:
        raise ValueError("it has not one result for each image")
    return [_result(each) for each in results]


def _result(value: object) -> Analysis | Problem:
    if isinstance(value, dict) and "code" in value:
        return structured(Problem, value)
    return structured(Analysis, value)


def _objects(answer: Answer) -> list[bytes]:
    return parts_of(answer.body, answer.headers["content-type"], of_type=_DICOM)
