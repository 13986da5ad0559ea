"""A minimal PromQL reader that finds the metrics, labels and values that a query names."""

import re
from dataclasses import dataclass, field

_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = r"(?<![\w:.$])[a-zA-Z_:][\w:]*"
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_IGNORED = re.compile(r"\[[^\]]*\]|\boffset\s+\w+|\b\d[\w.]*")  # windows, offsets, numbers
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})")
_WORDS = {"and", "or", "unless", "bool"}


@dataclass(frozen=True)
class Matcher:
    """One label matcher of a selector."""

    label: str
    operator: str
    value: str

    @property
    def values(self) -> list[str]:
        """The named values; a pattern is read as alternatives."""
        return self.value.split("|") if "~" in self.operator else [self.value]


@dataclass(frozen=True)
class Query:
    """The selectors and groupings of a query."""

    selectors: list[tuple[str, list[Matcher]]] = field(default_factory=list)
    groupings: set[str] = field(default_factory=set)

    @property
    def metrics(self) -> set[str]:
        return {metric for metric, _ in self.selectors}


def read(query: str) -> Query:
    """Reads a query; each name that is neither a function nor a keyword is a metric."""
    braces = [part for part in re.findall(rf"\{{((?:[^{{}}\"]|{_STRING})*)\}}", query)]
    text = re.sub(_STRING, " ", re.sub(rf"\{{(?:[^{{}}\"]|{_STRING})*\}}", "{}", query))
    groupings = {
        label.strip() for labels in _GROUPING.findall(text) for label in labels.split(",")
    } - {""}
    text = _IGNORED.sub(" ", _GROUPING.sub(" ", text))
    selectors, left = [], iter(braces)
    for name, mark in re.findall(rf"({_NAME})\s*(\{{\}}|\(|)", text):
        if mark != "(" and name not in _WORDS:
            matchers = _MATCHER.findall(next(left)) if mark == "{}" else []
            selectors.append((name, [Matcher(a, b, c[1:-1]) for a, b, c in matchers]))
    return Query(selectors, groupings)
