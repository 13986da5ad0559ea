"""Metrics are as declared, and every series of closed labels is exported before it counts."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bentos import metrics as module
from bentos.gateway.analyses import PATHS
from bentos.history_metrics import HistoryMetrics, create_history_series
from bentos.inference import wire
from bentos.metric_labels import ModelName, Outcome, ProcessName, Stage
from bentos.metrics import Metrics
from tests import declared
from tests.conftest import ROOT

Series = set[tuple[str, tuple[str, ...]]]

CREATORS: dict[str, Callable[[Metrics], None]] = {
    "gateway": partial(module.create_gateway_series, routes=PATHS),
    "classifier pod": partial(module.create_classifier_pod_series, routes=[wire.PATH]),
    "filter": partial(module.create_model_series, model=ModelName.XRAY_FILTER, stage=Stage.FILTER),
    "classifier": partial(
        module.create_model_series, model=ModelName.COVID_CLASSIFIER, stage=Stage.CLASSIFY
    ),
    "supervisor": partial(module.create_supervisor_series, processes=list(ProcessName)),
}
"""The functions that each process calls at its start."""
KEEPING = "gateway that keeps analyses"
"""Besides, where it has a place for them."""
SET_LATER = {"model_ready", "model_load_seconds"}
"""Gauges that have no value until something is measured."""
IMPOSSIBLE: Series = {("model_images", ("xray_filter", "pods"))}


def missing_series(*creators: str) -> Series:
    """The series that no process has created."""
    metrics, history = Metrics(), HistoryMetrics()
    for name in creators:
        if name == KEEPING:
            create_history_series(history, max_bytes=1)
        else:
            CREATORS[name](metrics)
    expected = {each for each in declared.closed_series() if each[0] not in SET_LATER}
    created = {*declared.created_series(metrics), *declared.created_series(history)}
    return expected - created - IMPOSSIBLE


def test_every_series_with_known_label_values_exists_at_the_start() -> None:
    assert missing_series(*CREATORS, KEEPING) == set()


@pytest.mark.parametrize(
    ("creator", "series"),
    [
        ("gateway", ("shed", ("bytes",))),
        ("filter", ("batch_size", ("xray_filter",))),
        ("classifier", ("batch_seconds", ("covid_classifier",))),
        ("supervisor", ("process_restarts", ("gateway", "hung"))),
        (KEEPING, ("failures", ("object_store",))),
    ],
)
def test_series_that_no_process_creates_is_reported_missing(
    creator: str, series: tuple[str, tuple[str, ...]]
) -> None:
    others = {*CREATORS, KEEPING} - {creator}

    assert series in missing_series(*others)


@pytest.mark.parametrize(
    ("creator", "routes"), [("gateway", PATHS), ("classifier pod", [wire.PATH])]
)
def test_every_outcome_of_an_image_route_has_a_series_at_the_start(
    creator: str, routes: list[str]
) -> None:
    metrics = Metrics()

    CREATORS[creator](metrics)

    created = set(declared.created_series(metrics))
    expected = {(route, str(outcome)) for route in routes for outcome in Outcome}
    for field in ("requests", "request_seconds"):
        assert {values for name, values in created if name == field} == expected


def test_process_creates_no_series_of_another_process() -> None:
    created: dict[str, Series] = {}
    for name, create in CREATORS.items():
        metrics = Metrics()
        create(metrics)
        created[name] = {each for each in declared.created_series(metrics) if each[1]}

    of_models = {field for field, _ in created["filter"]}
    assert of_models == {field for field, _ in created["classifier"]}
    assert {field for field, _ in created["gateway"]} & of_models == {"dropped"}
    assert not created["gateway"] & created["filter"]
    assert not created["filter"] & created["classifier"]
    assert {field for field, _ in created["supervisor"]} == {"process_restarts"}


@pytest.mark.parametrize("field", declared.TYPES)
def test_metric_has_its_declared_type_and_labels(field: str) -> None:
    metric = declared.metric_of(declared.fields()[field])

    assert type(metric) is declared.kind(field)
    assert tuple(declared.label_values(field)) == metric._labelnames
    assert metric._documentation


def test_series_are_shared_between_processes_and_imported_lazily(tmp_path: Path) -> None:
    code = """
import sys
from bentos.exposition import exposition
from bentos.metrics import create_gateway_series, get_metrics
assert "prometheus_client" not in sys.modules
if sys.argv[1:]:
    create_gateway_series(get_metrics(), ["/v1/analyses"])
else:
    print(exposition()[0].decode())
"""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    run = partial(subprocess.run, cwd=ROOT, env=environment, check=True, capture_output=True)

    run([sys.executable, "-c", code, "create"])
    text = run([sys.executable, "-c", code]).stdout.decode()

    for series in (
        'chestxray_shed_total{reason="bytes"}',
        'chestxray_prediction_score_count{label="covid19"}',
        'chestxray_requests_total{outcome="server_error",route="/v1/analyses"}',
    ):
        assert f"\n{series} 0.0\n" in text
