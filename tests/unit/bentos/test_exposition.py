"""The metrics of all processes, of the build and of each process, in both formats."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from bentos import exposition as module
from bentos.exemplars import Exemplars, get_exemplars
from bentos.exposition import OPEN_METRICS, build_info, exposition, process_metrics
from bentos.metrics import REQUEST_SECONDS, get_metrics
from bentos.process import heartbeat, pids
from loadtests import objectives
from tests.conftest import ROOT

TRACE, LATER = 32 * "a", 32 * "b"
ROUTE, OUTCOME = "/v1/analyses", "accepted"


def open_metrics() -> dict[str, Metric]:
    """The families that a client of OpenMetrics reads."""
    text, content_type = exposition(OPEN_METRICS)
    assert content_type.startswith(OPEN_METRICS)
    return {each.name: each for each in openmetrics.text_string_to_metric_families(text.decode())}


def exemplars_of(metric: Metric) -> dict[str, tuple[dict[str, str], float, float]]:
    """The exemplars of a histogram by the bounds of their buckets."""
    return {
        each.labels["le"]: (each.exemplar.labels, each.exemplar.value, each.exemplar.timestamp)
        for each in metric.samples
        if each.exemplar and each.labels["outcome"] == OUTCOME
    }


def histogram(*seconds: float) -> Metric:
    """The durations of requests in the series of the tests."""
    from bentos.metrics import Metrics

    durations = Metrics().request_seconds
    for each in seconds:
        durations.labels(ROUTE, OUTCOME).observe(each)
    (metric,) = durations.metric.collect()
    return metric


def test_bucket_shows_the_trace_of_its_latest_request() -> None:
    exemplars = Exemplars(clock=iter([1.0, 2.0, 3.0]).__next__)
    exemplars.record(ROUTE, OUTCOME, 1.2, TRACE)
    exemplars.record(ROUTE, OUTCOME, 1.4, LATER)
    exemplars.record(ROUTE, OUTCOME, 99, TRACE)

    shown = exemplars_of(exemplars.attach(histogram(1.2, 1.4, 99)))

    assert shown == {
        "1.5": ({"trace_id": LATER}, 1.4, 2.0),
        "+Inf": ({"trace_id": TRACE}, 99, 3.0),
    }


def test_request_at_a_bound_belongs_to_the_bucket_that_counts_it() -> None:
    exemplars = Exemplars(clock=lambda: 1.0)
    exemplars.record(ROUTE, OUTCOME, 2.5, TRACE)

    metric = exemplars.attach(histogram(2.5))

    assert exemplars_of(metric).keys() == {"2.5"}
    assert next(s.value for s in metric.samples if s.labels.get("le") == "2.5") == 1


def test_exemplars_are_in_open_metrics_and_not_in_text() -> None:
    get_metrics().request_seconds.labels(ROUTE, OUTCOME).observe(0.3)
    get_exemplars().record(ROUTE, OUTCOME, 0.3, TRACE)

    assert exemplars_of(open_metrics()[REQUEST_SECONDS])["0.5"][0] == {"trace_id": TRACE}
    assert TRACE not in exposition()[0].decode()


def test_build_is_described() -> None:
    (sample,) = build_info().samples

    assert (sample.name, sample.value) == ("chestxray_build_info", 1)
    assert sample.labels.keys() == {"version", "commit", "python", "bentoml", "onnxruntime"}
    assert sample.labels["version"] == "0.1.0"
    assert sample.labels["commit"] == "unknown"


def test_commit_is_the_one_that_the_image_was_built_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.REVISION, "0123abc")

    assert build_info().samples[0].labels["commit"] == "0123abc"


def test_use_of_every_running_process_is_shown_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(heartbeat.VARIABLE, str(tmp_path / "gateway.heartbeat"))
    pids.file_of(tmp_path, "gateway").write_text(str(os.getpid()))
    with subprocess.Popen(["sleep", "60"]) as other:
        pids.file_of(tmp_path, "xray_filter").write_text(str(other.pid))
        families = open_metrics()
        other.kill()

    for name in (
        "process_resident_memory_bytes",
        "process_cpu_seconds",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ):
        assert [s.labels for s in families[name].samples] == [
            {"process": "gateway"},
            {"process": "xray_filter"},
        ]
    memory = [sample.value for sample in families["process_resident_memory_bytes"].samples]
    assert memory[0] > memory[1] > 0


def test_process_that_ended_meanwhile_has_no_metrics() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()

    assert process_metrics({"xray_filter": ended.pid}) == []


def test_file_of_a_process_that_is_being_written_is_skipped(tmp_path: Path) -> None:
    pids.file_of(tmp_path, "gateway").write_text("")
    pids.file_of(tmp_path, "supervisor").write_text("7")

    assert pids.running(tmp_path) == {"supervisor": 7}


def test_metrics_of_libraries_are_left_out(tmp_path: Path) -> None:
    code = """
from prometheus_client import Counter
Counter("bentoml_service_request_total", "of a library", ["path"]).labels("/patient").inc()
from bentos.exposition import exposition
from bentos.metrics import get_metrics
get_metrics().decoder_restarts.labels("died").inc()
print(exposition()[0].decode())
"""
    for environment in ({}, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
            text=True,
        )
        names = {family.name for family in parse_text(done.stdout)}
        assert "chestxray_decoder_restarts" in names
        assert all(name.startswith("chestxray_") for name in names)


def test_every_latency_objective_is_the_bound_of_a_bucket() -> None:
    bounds = {sample.labels.get("le") for sample in histogram(1).samples}
    promised = {
        str(milliseconds / 1000)
        for promises in objectives.read().routes.values()
        for milliseconds in (promises.p50_ms, promises.p95_ms, promises.p99_ms)
    }

    assert {"1.5", "2.5", "4.0"} <= promised
    assert promised <= bounds


@pytest.mark.parametrize("field", ["batch_seconds", "batch_queue_seconds"])
def test_buckets_of_batches_resolve_single_milliseconds(field: str) -> None:
    from bentos.metrics import Metrics

    bounds = getattr(Metrics(), field).metric._upper_bounds

    assert bounds[:4] == [0.0005, 0.001, 0.002, 0.005]
