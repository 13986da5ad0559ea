"""Every dashboard query returns data from a running Prometheus that scrapes a running service."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from bentos.gateway.analyses import PATHS
from monitoring.boards import Row
from monitoring.dashboards import dashboards
from tests.k8s import exporters, promql
from tests.k8s.prometheus import Prometheus, run_prometheus
from tests.k8s.test_triggers import ADAPTER_RULE
from tests.phantoms import encode, phantom
from tests.service import dicom_node
from tests.service.dicom_node import Node
from tests.service.fakes import form
from tests.service.server import Server, serve, wait_until_ready

VARIABLES = {
    "$__rate_interval": "1m",
    "$namespace": ".*",
    "$pod": ".*",
    "$cpu_price": "0.04",
    "$gpu_price": "2",
}
PATIENCE_SECONDS = 60.0
BATCH = 16
IMAGE = encode(phantom(600, 700), "PNG")
QUERIES = [
    pytest.param(row, panel.title, query, id=f"{board.name}, {panel.title}, {legend}")
    for board in dashboards()
    for row in board.rows
    for panel in row.panels
    for legend, query in panel.queries.items()
]
WITHOUT_PAST = {"Score drift against the week before"}


@pytest.fixture(scope="module")
def scraped_server(
    passing_filter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with capacity for one batch and one decoder, so that a small load overloads it; it
    keeps analyses."""
    folder = tmp_path_factory.mktemp("scraped")
    environment = {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_DATA_FOLDER": str(folder / "data"),
        "CHESTXRAY_MAX_QUEUE_SECONDS": "60",
        "CHESTXRAY_MAX_IMAGES_IN_FLIGHT": str(BATCH),
        "CHESTXRAY_DECODE_PROCESSES": "1",
    }
    with serve(folder, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def scraped_node(
    scraped_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A DICOM node with an empty queue."""
    folder, nobody = tmp_path_factory.mktemp("node"), "dicom://ARCHIVE@127.0.0.1:104"
    with dicom_node.node(folder, scraped_server.url, nobody) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(
    scraped_server: Server,
    scraped_node: Node,
    prometheus_program: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    folder, stop = tmp_path_factory.mktemp("prometheus"), Event()
    addresses = {
        "gateway": scraped_server.url.removeprefix("http://"),
        "dicom": f"127.0.0.1:{scraped_node.metrics_port}",
    }
    with (
        run_prometheus(addresses, folder, prometheus_program) as running,
        ThreadPoolExecutor(1) as threads,
    ):
        until(lambda: running.numbers("sum(up) == 2"))
        cause_failures(scraped_server)
        steady = threads.submit(post_steadily, scraped_server, stop)
        try:
            until(lambda: running.numbers("sum(rate(chestxray_predictions_total[1m])) > 0"))
            yield running
        finally:
            stop.set()
        steady.result()


def post_steadily(server: Server, stop: Event) -> None:
    """Posts to both routes repeatedly, so that no window is without requests."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while not stop.wait(0.5):
            client.post(PATHS[0], **form(IMAGE))
            client.post(PATHS[1], **form(IMAGE, IMAGE))


def cause_failures(server: Server) -> None:
    """Causes shed requests, dropped images and a process restart."""
    with httpx.Client(base_url=server.url, timeout=60) as client:

        def post_batch(_: int = 0, **headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.post(PATHS[1], headers=named, **form(*[IMAGE] * BATCH)).status_code

        with ThreadPoolExecutor(4) as threads:
            assert 503 in threads.map(post_batch, range(4))
        for milliseconds in range(20, 1000, 20):
            post_batch(x_request_timeout_ms=str(milliseconds))
            if server.total("chestxray_dropped_total"):
                break
        server.worker("CovidClassifier").kill()
        until(lambda: server.total("chestxray_process_restarts_total"))
        wait_until_ready(server)


def until(found: Callable[[], Any]) -> None:
    """Returns once the condition holds. Raises AssertionError after the timeout."""
    stop = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < stop, "it did not come"
        time.sleep(0.5)


def fill_variables(query: str) -> str:
    """A dashboard's query with Grafana's variables filled in."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


@pytest.mark.parametrize(("row", "title", "query"), QUERIES)
def test_dashboard_query_returns_data_or_its_row_names_the_exporter(
    row: Row, title: str, query: str, prometheus: Prometheus
) -> None:
    asked, others = fill_variables(query), promql.read(query).metrics & set(exporters.METRICS)

    if title in WITHOUT_PAST or (row.needs and others):
        assert prometheus.query(asked) == []
        assert others <= {name for each in row.needs for name in exporters.OF_PANELS[each]}
    else:
        until(lambda: prometheus.numbers(asked))


def test_query_of_the_metrics_adapter_returns_images_in_flight_by_pod(
    prometheus: Prometheus,
) -> None:
    filled = {"<<.Series>>": ADAPTER_RULE["seriesQuery"].partition("{")[0]}
    filled |= {"<<.LabelMatchers>>": 'namespace="chestxray",pod="gateway-0"', "<<.GroupBy>>": "pod"}
    asked = ADAPTER_RULE["metricsQuery"]
    for placeholder, value in filled.items():
        asked = asked.replace(placeholder, value)

    until(lambda: [value for value in prometheus.numbers(asked) if 0 < value <= BATCH])


def test_scraped_series_have_the_labels_used_by_rules(prometheus: Prometheus) -> None:
    [sample] = prometheus.query('up{job="chestxray", workload="gateway"}')

    labels = {name: sample["metric"][name] for name in ("workload", "container", "pod")}
    assert labels == {"workload": "gateway", "container": "gateway", "pod": "gateway-0"}
    assert sample["metric"]["namespace"] == "chestxray"
    assert sample["value"][1] == "1"


def test_every_rule_is_evaluated_without_errors(prometheus: Prometheus) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()))

    assert prometheus.rules()
    assert [rule["name"] for rule in prometheus.rules() if rule["health"] != "ok"] == []


def test_bentoml_series_are_not_stored(prometheus: Prometheus) -> None:
    assert prometheus.query('{__name__=~"bentoml_.*"}') == []


def test_misspelt_metric_returns_no_data(prometheus: Prometheus) -> None:
    assert prometheus.query("sum(rate(chestxray_request_total[1m]))") == []


def test_invalid_query_fails(prometheus: Prometheus) -> None:
    with pytest.raises(AssertionError):
        prometheus.query("sum(rate(chestxray_requests_total[1m])")
