"""Rules and dashboards query exported metrics only, and alerts have runbooks."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from bentos.gateway.analyses import PATHS
from bentos.settings import Settings
from loadtests import objectives as promised
from monitoring import __main__ as written
from monitoring import alerts, objectives
from monitoring.dashboards import dashboards
from monitoring.rules import Record
from monitoring.rules import alerts as alerts_of
from tests.conftest import ROOT
from tests.k8s import exported, promql
from tests.k8s.rendering import OVERLAYS, Manifest, of_kind
from tests.k8s.test_triggers import ADAPTER_RULE

COMPONENT, PLAIN = ROOT / "k8s/components/monitoring", ROOT / "k8s/monitoring-plain"
DOCUMENT = ROOT / "docs/monitoring.md"
GROUPS = [*objectives.groups(), *alerts.groups()]
RULES = [rule for group in GROUPS for rule in group.rules]
ALERTS = list(alerts_of(GROUPS))
RECORDED = {rule.name for rule in RULES if isinstance(rule, Record)}
OURS = exported.labels() | {"up": set()}
PANELS = [(board, panel) for board in dashboards() for panel in board.panels]
PREFIXES = {"": "chestxray", "cAdvisor": "container_", "kube-state-metrics": "kube_"}


def queries() -> Iterator[tuple[str, str, str]]:
    """Where each query is used, the query, and the prefix of other programs' metrics in it."""
    for rule in RULES:
        yield rule.name, rule.query, PREFIXES[""]
    for board, panel in PANELS:
        for query in panel.queries.values():
            yield f"{board.name}: {panel.title}", query, PREFIXES[panel.needs]


def check_values(metric: str, matchers: list[promql.Matcher]) -> None:
    """Checks that the code exports the labels and values of a selector."""
    for matcher in matchers if metric in OURS else []:
        assert matcher.label in OURS[metric] | exported.TARGET, (metric, matcher)
        for value in matcher.values:
            assert exported.can_have(metric, matcher.label, value), (metric, matcher)


def test_generated_monitoring_files_are_up_to_date() -> None:
    assert written.differing() == []


@pytest.mark.parametrize(("where", "query", "prefix"), tuple(queries()))
def test_every_queried_metric_is_exported_with_the_queried_labels(
    where: str, query: str, prefix: str
) -> None:
    named = promql.read(query)
    known: set[str] = set(exported.TARGET)

    for metric, matchers in named.selectors:
        if metric in RECORDED:
            known |= {"route", "label", "le"}
        elif metric in OURS:
            known |= OURS[metric]
            check_values(metric, matchers)
        else:
            assert metric.startswith(prefix) and prefix != PREFIXES[""], f"{metric} is unknown"

    assert named.metrics or query.startswith("vector(")
    assert named.groupings <= known


def test_alert_texts_use_only_labels_of_their_alert() -> None:
    for alert in ALERTS:
        known = promql.read(alert.query).groupings | set(alert.labels) | {"route"}
        known |= exported.TARGET if "sum" not in alert.query else set()
        for label in re.findall(r"\$labels\.(\w+)", alert.summary + alert.description):
            assert label in known, (alert.name, label)


def test_alert_objectives_equal_those_of_the_load_tests() -> None:
    routes = promised.read().routes
    bound = f"{objectives.SLOW_SECONDS:g}"

    assert set(routes) == set(PATHS)
    assert {each.error_rate for each in routes.values()} == {objectives.ERROR_RATE}
    assert {each.shed_rate for each in routes.values()} == {objectives.SHED_RATE}
    assert bound in exported.bounds("chestxray_request_duration_seconds_bucket")
    for route, rate in objectives.SLOW_RATES.items():
        percentile = getattr(routes[route], f"p{100 - 100 * rate:g}_ms")
        assert percentile == 1000 * objectives.SLOW_SECONDS


def test_every_burn_rate_is_reachable() -> None:
    for burn in objectives.BURNS:
        for allowed in (objectives.ERROR_RATE, *objectives.SLOW_RATES.values()):
            assert burn.rate * allowed < 1


def test_alerts_and_runbooks_correspond() -> None:
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}

    assert pages == {alert.name for alert in ALERTS}
    for alert in ALERTS:
        annotations = alert.document()["annotations"]
        assert (ROOT / annotations["runbook_url"]).is_file()
        assert annotations["summary"] and annotations["description"]
        assert alert.severity in ("critical", "warning")


@pytest.mark.parametrize("name", sorted({alert.name for alert in ALERTS}))
def test_runbook_queries_settings_and_links_exist(name: str) -> None:
    text = (ROOT / "docs/runbooks" / f"{name}.md").read_text()
    blocks = re.findall(r"```promql\n(.*?)```", text, re.S)

    assert text.startswith(f"# {name}\n")
    for heading in ("## What it means", "## How to look", "## What to do"):
        assert heading in text
    assert blocks
    for query in blocks:
        for metric, matchers in promql.read(query).selectors:
            assert metric in RECORDED or metric in OURS, metric
            check_values(metric, matchers)
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / "docs/runbooks" / path).is_file(), path
    for setting in re.findall(r"CHESTXRAY_(\w+)", text):
        assert setting.lower() in Settings.model_fields, setting


def test_table_of_alerts_in_the_docs_is_complete() -> None:
    table = re.findall(r"^\| \[(\w+)\]\((\S+)\) \| ([\w, ]+) \|", DOCUMENT.read_text(), re.M)
    severities: dict[str, set[str]] = {}
    for alert in ALERTS:
        severities.setdefault(alert.name, set()).add(alert.severity)

    assert {name: set(named.split(", ")) for name, _, named in table} == severities
    for _, path, _ in table:
        assert (DOCUMENT.parent / path).is_file()


def test_both_scrape_configurations_produce_the_same_labels() -> None:
    monitor = yaml.safe_load((COMPONENT / "podmonitor.yaml").read_text())["spec"]
    [endpoint] = monitor["podMetricsEndpoints"]
    [plain] = yaml.safe_load((PLAIN / "prometheus.yml").read_text())["scrape_configs"]

    def in_snake_case(rules: list[dict[str, object]]) -> list[dict[str, object]]:
        return [
            {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), key): value for key, value in r.items()}
            for r in rules
        ]

    targets = {rule["target_label"] for rule in plain["relabel_configs"] if "target_label" in rule}
    assert (endpoint["interval"], endpoint["scrapeTimeout"], endpoint["path"]) == (
        plain["scrape_interval"],
        plain["scrape_timeout"],
        plain["metrics_path"],
    )
    assert in_snake_case(endpoint["metricRelabelings"]) == plain["metric_relabel_configs"]
    assert all(rule in plain["relabel_configs"] for rule in in_snake_case(endpoint["relabelings"]))
    assert targets | {"job", "instance"} == exported.TARGET
    assert monitor["jobLabel"] == "app.kubernetes.io/part-of"
    assert monitor["selector"]["matchLabels"][monitor["jobLabel"]] == plain["job_name"]


def test_pods_of_every_overlay_are_scraped(rendered: dict[str, list[Manifest]]) -> None:
    monitor = yaml.safe_load((COMPONENT / "podmonitor.yaml").read_text())["spec"]
    [names] = monitor["selector"]["matchExpressions"]
    [endpoint] = monitor["podMetricsEndpoints"]

    for overlay in OVERLAYS:
        for deployment in of_kind(rendered[overlay], "Deployment"):
            pod = deployment["spec"]["template"]
            labels = pod["metadata"]["labels"]
            ports = {port["name"] for each in pod["spec"]["containers"] for port in each["ports"]}
            assert monitor["selector"]["matchLabels"].items() <= labels.items()
            assert labels[names["key"]] in names["values"]
            assert endpoint["port"] in ports


def test_bentoml_series_are_dropped_and_ours_are_kept() -> None:
    [plain] = yaml.safe_load((PLAIN / "prometheus.yml").read_text())["scrape_configs"]
    [dropped] = plain["metric_relabel_configs"]

    assert re.fullmatch(dropped["regex"], "bentoml_service_request_total")
    assert not any(re.fullmatch(dropped["regex"], name) for name in exported.labels())


def test_every_dashboard_is_deployed_and_fits_in_a_config_map() -> None:
    generator = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["configMapGenerator"]
    files = [COMPONENT / name for name in generator[0]["files"]]

    assert files == [COMPONENT / "dashboards" / f"{board.name}.json" for board in dashboards()]
    assert sum(path.stat().st_size for path in files) < 2**20
    for path in files:
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_exported_metric_is_used_by_a_rule_dashboard_or_autoscaler() -> None:
    asked = {metric for _, query, _ in queries() for metric in promql.read(query).metrics}
    asked.add(ADAPTER_RULE["seriesQuery"].partition("{")[0])

    watched = {field for name, field in exported.fields().items() if name in asked}

    assert watched == set(exported.fields().values())
