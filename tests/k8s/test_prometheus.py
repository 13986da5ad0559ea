"""Every query of the dashboards answers, on a real Prometheus that scrapes the real service."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from bentos.gateway.analyses import PATHS
from monitoring.dashboards import dashboards
from tests.k8s import promql
from tests.k8s.prometheus import Prometheus, scraping
from tests.phantoms import encode, phantom
from tests.service.fakes import form
from tests.service.server import Server, serve, wait_until_ready

VARIABLES = {"$__rate_interval": "1m", "$namespace": ".*"}
PATIENCE_SECONDS = 60.0
BATCH = 16
IMAGE = encode(phantom(600, 700), "PNG")
QUERIES = [
    pytest.param(panel.title, query, id=f"{board.name}, {panel.title}, {legend}")
    for board in dashboards()
    for panel in board.panels
    for legend, query in panel.queries.items()
]
OF_OTHERS = ("container_", "kube_")
"""Metrics of cAdvisor and kube-state-metrics, which one machine without a cluster has not."""
WITHOUT_PAST = {"Score drift against the week before"}


@pytest.fixture(scope="session")
def scraped(passing_filter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Space for one full batch and one thread to decode it, so that a little load is too much."""
    environment = {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_MAX_QUEUE_SECONDS": "60",
        "CHESTXRAY_MAX_IMAGES_IN_FLIGHT": str(BATCH),
        "CHESTXRAY_DECODE_PROCESSES": "1",
    }
    with serve(tmp_path_factory.mktemp("scraped"), **environment) as running:
        yield running


@pytest.fixture(scope="session")
def prometheus(
    scraped: Server, prometheus_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder, stop = tmp_path_factory.mktemp("prometheus"), Event()
    with (
        scraping(scraped.url.removeprefix("http://"), folder, prometheus_program) as running,
        ThreadPoolExecutor(1) as threads,
    ):
        until(lambda: running.query("up == 1"))
        misuse(scraped)
        steady = threads.submit(use, scraped, stop)
        try:
            until(lambda: running.numbers("sum(rate(chestxray_predictions_total[1m])) > 0"))
            yield running
        finally:
            stop.set()
        steady.result()


def use(server: Server, stop: Event) -> None:
    """Posts to both routes, again and again, so that no window is without requests."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while not stop.wait(0.5):
            client.post(PATHS[0], **form(IMAGE))
            client.post(PATHS[1], **form(IMAGE, IMAGE))


def misuse(server: Server) -> None:
    """Has requests shed, images dropped and a process started again."""
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
    """Returns once something is found. Raises AssertionError."""
    stop = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < stop, "it did not come"
        time.sleep(0.5)


def as_asked(query: str) -> str:
    """A dashboard's query with what Grafana fills in."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_dashboards_query_returns_data(title: str, query: str, prometheus: Prometheus) -> None:
    asked = as_asked(query)

    if title in WITHOUT_PAST or any(m.startswith(OF_OTHERS) for m in promql.read(query).metrics):
        assert prometheus.query(asked) == []
    else:
        until(lambda: prometheus.numbers(asked))


def test_the_scraped_pod_has_the_labels_that_rules_ask_for(prometheus: Prometheus) -> None:
    [sample] = prometheus.query('up{job="chestxray"}')

    labels = {name: sample["metric"][name] for name in ("workload", "container", "pod")}
    assert labels == {"workload": "gateway", "container": "gateway", "pod": "gateway-0"}
    assert sample["metric"]["namespace"] == "chestxray"
    assert sample["value"][1] == "1"


def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()))

    assert prometheus.rules()
    assert [rule["name"] for rule in prometheus.rules() if rule["health"] != "ok"] == []


def test_no_series_of_bentoml_is_kept(prometheus: Prometheus) -> None:
    assert prometheus.query('{__name__=~"bentoml_.*"}') == []


def test_a_misspelt_metric_returns_nothing(prometheus: Prometheus) -> None:
    assert prometheus.query("sum(rate(chestxray_request_total[1m]))") == []


def test_a_query_that_is_none_fails(prometheus: Prometheus) -> None:
    with pytest.raises(AssertionError):
        prometheus.query("sum(rate(chestxray_requests_total[1m])")
