"""The requests that the client makes, and how their answers are read; no input or output."""

import json
import uuid
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
JSON, PNG = "application/json", "image/png"
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
    method: str = "POST"
    done_by: frozenset[str] = frozenset()
    """Codes of problems that say that it was done before, by an earlier try maybe."""

    def read(self, answer: Answer) -> Result:
        """Returns the result. Raises ProblemError, and UnexpectedAnswer."""
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            problem = refusal(answer.status, answer.headers, answer.body)
            if problem.code not in self.done_by:
                raise problem
            return self.parse(answer)
        try:
            if answer.media_type != self.media_type:
                raise ValueError(f"its type is {answer.media_type!r}")
            return self.parse(answer)
        except ValueError as error:
            message = f"the answer is no {self.media_type} of this service: {error}"
            raise UnexpectedAnswer(message) from error


def analyze(image: bytes, heatmap: Heatmaps, *, keep: bool = False) -> Call[Analysis]:
    """Asks for the analysis of one image; one that is to be kept is so once, however often the
    request is sent."""
    params = {"heatmap": heatmap} | ({"keep": "true"} if keep else {})
    headers = {"Idempotency-Key": uuid.uuid4().hex} if keep else {}
    return _one(JSON, image, analysis_of, params=params, headers=headers)


def analyze_batch(images: Sequence[bytes], heatmap: Heatmaps) -> Call[list[Analysis | Problem]]:
    """Asks for an analysis or a problem of each image."""
    # A part without a name of a file could be taken for text.
    files = [("image", ("image", image, _BYTES)) for image in images]
    parse = partial(_results, count=len(images))
    headers, params = {"Accept": JSON}, {"heatmap": heatmap}
    return Call(_SEVERAL, JSON, {"files": files}, parse, params, headers)


def heatmap(image: bytes) -> Call[bytes]:
    """Asks for the heatmap over the image, as PNG."""
    return _one(PNG, image, body_of)


def report(image: bytes, language: str) -> Call[bytes]:
    """Asks for the report of a DICOM image, as a DICOM object."""
    return _one(_DICOM, image, body_of, headers={"Accept-Language": language})


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


def body_of(answer: Answer) -> bytes:
    """Returns what was answered as it is."""
    return answer.body


def analysis_of(answer: Answer) -> Analysis:
    """Reads an analysis. Raises ValueError."""
    return structured(Analysis, json.loads(answer.body))


def _results(answer: Answer, *, count: int) -> list[Analysis | Problem]:
    document = json.loads(answer.body)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or len(results) != count:
        raise ValueError("it has not one result for each image")
    return [result_of(each) for each in results]


def result_of(value: object) -> Analysis | Problem:
    """Reads an analysis or a problem. Raises ValueError."""
    if isinstance(value, dict) and "code" in value:
        return structured(Problem, value)
    return structured(Analysis, value)


def _objects(answer: Answer) -> list[bytes]:
    return parts_of(answer.body, answer.headers["content-type"], of_type=_DICOM)
