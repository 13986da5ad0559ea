"""The labels and label values that the typed declarations of the metrics define."""

from collections.abc import Iterator
from enum import EnumType
from itertools import product
from typing import Any, get_args, get_origin, get_type_hints

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

from bentos.history_metrics import HistoryMetrics
from bentos.metric_declarations import Labelled
from bentos.metrics import Metrics

CLASSES = (Metrics, HistoryMetrics)
TYPES: dict[str, Any] = {
    field: type_
    for each in CLASSES
    for field, type_ in get_type_hints(each, localns=vars(prometheus_client)).items()
}
"""The declared types of the fields."""


def fields() -> dict[str, Any]:
    """The fields of every class, with new metrics."""
    return {field: value for each in CLASSES for field, value in vars(each()).items()}


def metric_of(declared: Any) -> MetricWrapperBase:
    """The metric that a field holds."""
    metric = declared.metric if isinstance(declared, Labelled) else declared
    assert isinstance(metric, MetricWrapperBase)
    return metric


def label_values(field: str) -> dict[str, tuple[str, ...] | None]:
    """The values that each label of a metric may have; None where any is possible."""
    names = metric_of(fields()[field])._labelnames
    types = get_args(TYPES[field])[1:]
    return {name: _values(type_) for name, type_ in zip(names, types, strict=True)}


def kind(field: str) -> type[MetricWrapperBase]:
    """The class of prometheus_client's that a field is declared with."""
    declared: Any = TYPES[field]
    found: type[MetricWrapperBase] = get_args(declared)[0] if get_origin(declared) else declared
    return found


def closed_series() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The field and the label values of every series that can be known before it counts."""
    for field in TYPES:
        closed = [values for values in label_values(field).values() if values is not None]
        if len(closed) == len(label_values(field)):
            yield from ((field, each) for each in product(*closed))


def created_series(metrics: Metrics | HistoryMetrics) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The field and the label values of every series that exists; without labels it always does."""
    for field, declared in vars(metrics).items():
        found = declared.metric._metrics if isinstance(declared, Labelled) else [()]
        yield from ((field, values) for values in found)


def _values(type_: Any) -> tuple[str, ...] | None:
    if type_ is str:
        return None
    members = type_ if isinstance(type_, EnumType) else get_args(type_)
    return tuple(str(member) for member in members)
