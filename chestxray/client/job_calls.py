"""The requests about jobs, and how their answers are read; no input or output."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote

from chestxray.client.calls import JSON, Answer, Call, Heatmaps, result_of
from chestxray.client.results import JobItem, JobStatus
from chestxray.client.structure import structured

_JOBS = "/v1/jobs"
_PAGE = 100
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two questions how far a job is."""


class Page(NamedTuple):
    """Some items of a job, in the order of its images."""

    items: list[JobItem]
    begin: int | None
    """Of the next page; None after the last."""


def submit(body: object, size: int, identifier: str, heatmap: Heatmaps) -> Call[JobStatus]:
    """Asks that the images of a zip file be analysed; with the same identifier it is one job,
    however often the request is sent."""
    headers = {"Accept": JSON, "Content-Type": "application/zip", "Content-Length": str(size)}
    params = {"id": identifier, "heatmap": heatmap}
    return Call(_JOBS, JSON, {"content": body}, _status, params, headers)


def jobs() -> Call[list[JobStatus]]:
    """Asks for the newest jobs."""
    return Call(_JOBS, JSON, {}, _list, {}, {"Accept": JSON}, method="GET")


def job(identifier: str) -> Call[JobStatus]:
    """Asks how far a job is."""
    return Call(_one(identifier), JSON, {}, _status, {}, {"Accept": JSON}, method="GET")


def results(identifier: str, begin: int) -> Call[Page]:
    """Asks for the items of a job from a position on."""
    path, params = f"{_one(identifier)}/results", {"begin": str(begin), "limit": str(_PAGE)}
    return Call(path, JSON, {}, _page, params, {"Accept": JSON}, method="GET")


def cancel(identifier: str) -> Call[JobStatus]:
    """Asks that what waits of a job be left out."""
    return Call(f"{_one(identifier)}/cancel", JSON, {}, _status, {}, {"Accept": JSON})


def delete(identifier: str) -> Call[None]:
    """Asks that a job be deleted with its results."""
    gone = frozenset({"no-such-job"})
    return Call(_one(identifier), "", {}, _nothing, method="DELETE", done_by=gone)


def pause_after(polls: int) -> float:
    """Seconds to wait after so many questions how far a job is."""
    return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5 ** min(polls, 20)))


def has_ended(status: JobStatus) -> bool:
    """Whether nothing of a job waits any longer."""
    return status.state != "queued"


def _one(identifier: str) -> str:
    return f"{_JOBS}/{quote(identifier, safe='')}"


def _status(answer: Answer) -> JobStatus:
    return structured(JobStatus, json.loads(answer.body))


def _list(answer: Answer) -> list[JobStatus]:
    return [structured(JobStatus, each) for each in _member(answer, "jobs")[0]]


def _page(answer: Answer) -> Page:
    items, document = _member(answer, "items")
    following = document.get("next")
    if following is not None and type(following) is not int:
        raise ValueError("its next page has no position")
    return Page([_item(each) for each in items], following)


def _item(value: object) -> JobItem:
    if not isinstance(value, dict):
        raise ValueError("an item is not an object")
    found = value.get("result")
    item = structured(JobItem, value | {"result": None})
    return item if found is None else replace(item, result=result_of(found))


def _member(answer: Answer, name: str) -> tuple[list[Any], Mapping[str, Any]]:
    document = json.loads(answer.body)
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"it has no list of {name}")
    return found, document


def _nothing(answer: Answer) -> None:
    return None
