"""The generated rules and dashboards, and what their queries may name."""

from collections.abc import Iterator

import yaml

from monitoring import __main__ as written
from monitoring.dashboards import dashboards
from monitoring.rules import Record, alerts
from tests.conftest import ROOT
from tests.k8s import exported, exporters, promql
from tests.k8s.rendering import Manifest

COMPONENT, PLAIN = ROOT / "k8s/components/monitoring", ROOT / "k8s/monitoring-plain"
RULES = [rule for group in written.groups() for rule in group.rules]
ALERTS = list(alerts(written.groups()))
RECORDED = {rule.name for rule in RULES if isinstance(rule, Record)}
OURS = exported.labels() | {"up": set()}
OTHERS = exporters.METRICS | exporters.ALERTS
ROWS = [(board, row) for board in dashboards() for row in board.rows]


def queries() -> Iterator[tuple[str, str]]:
    """Where each query is used, and the query."""
    for rule in RULES:
        yield rule.name, rule.query
    for board, row in ROWS:
        for panel in row.panels:
            for query in panel.queries.values():
                yield f"{board.name}: {panel.title}", query


def check_selector(metric: str, matchers: list[promql.Matcher]) -> None:
    """Checks that there is such a metric, and that it can have these labels and values."""
    assert metric in RECORDED or metric in OURS or metric in OTHERS, f"{metric} is unknown"
    labels = exported.TARGET | OURS.get(metric, set()) | OTHERS.get(metric, set())
    for matcher in matchers if metric not in RECORDED else []:
        assert matcher.label in labels, (metric, matcher)
        for value in matcher.values if metric in exported.labels() else []:
            assert exported.can_have(metric, matcher.label, value), (metric, matcher)


def scrape_job(name: str) -> Manifest:
    """A job of the plain scrape configuration."""
    jobs = yaml.safe_load((PLAIN / "prometheus.yml").read_text())["scrape_configs"]
    [job] = [job for job in jobs if job["job_name"] == name]
    return dict(job)
