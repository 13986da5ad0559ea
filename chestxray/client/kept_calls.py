"""The requests about kept analyses, and how their answers are read; no input or output."""

import json
import re
from typing import NamedTuple
from urllib.parse import quote

from chestxray.client.calls import JSON, PNG, Answer, Call, analysis_of, body_of
from chestxray.client.results import Analysis, KeptAnalysis
from chestxray.client.structure import structured

_KEPT = "/v1/analyses"
_PAGE = 100
_CURSOR = re.compile(r"[0-9a-f-]{1,64}")


class Page(NamedTuple):
    """Some kept analyses, newest first."""

    analyses: list[KeptAnalysis]
    cursor: str | None
    """Of the next page; None after the last."""


def page(cursor: str) -> Call[Page]:
    """Asks for a page of the list; the empty text for the first."""
    params = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
    return Call(_KEPT, JSON, {}, _page, params, {"Accept": JSON}, method="GET")


def analysis(identifier: str) -> Call[Analysis]:
    """Asks for a kept analysis."""
    return Call(_one(identifier), JSON, {}, analysis_of, {}, {"Accept": JSON}, method="GET")


def picture(identifier: str, part: str) -> Call[bytes]:
    """Asks for the picture of a kept analysis: image or heatmap."""
    path = f"{_one(identifier)}/{part}"
    return Call(path, PNG, {}, body_of, {}, {"Accept": PNG}, method="GET")


def delete(identifier: str) -> Call[None]:
    """Asks that a kept analysis be deleted."""
    gone = frozenset({"no-such-analysis"})
    return Call(_one(identifier), "", {}, _nothing, method="DELETE", done_by=gone)


def delete_all() -> Call[int]:
    """Asks that all kept analyses be deleted."""
    return Call(_KEPT, JSON, {}, _deleted, method="DELETE")


def _one(identifier: str) -> str:
    return f"{_KEPT}/{quote(identifier, safe='')}"


def _page(answer: Answer) -> Page:
    document = json.loads(answer.body)
    listed = document.get("analyses") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it has no list of analyses")
    following = document.get("next")
    if following is not None and not (isinstance(following, str) and _CURSOR.fullmatch(following)):
        raise ValueError("its next page has no valid cursor")
    return Page([structured(KeptAnalysis, each) for each in listed], following)


def _deleted(answer: Answer) -> int:
    document = json.loads(answer.body)
    count = document.get("deleted") if isinstance(document, dict) else None
    if type(count) is not int:
        raise ValueError("it has no count")
    return count


def _nothing(answer: Answer) -> None:
    return None
