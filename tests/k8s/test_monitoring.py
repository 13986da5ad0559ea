"""Rules and dashboards query exported metrics only, and both installations scrape alike."""

import re
from pathlib import Path

import pytest
import yaml

from bentos.gateway.analyses import PATHS
from loadtests import objectives as promised
from monitoring import __main__ as written
from monitoring import objectives
from tests.conftest import ROOT
from tests.k8s import exported, exporters, promql
from tests.k8s.generated import (
    COMPONENT,
    OTHERS,
    OURS,
    RECORDED,
    check_selector,
    queries,
    scrape_job,
)
from tests.k8s.rendering import OVERLAYS, Manifest, build, find, of_kind, write_mix
from tests.k8s.test_triggers import ADAPTER_RULE

BLACKBOX_JOB = "chestxray-blackbox"


def test_generated_monitoring_files_are_up_to_date() -> None:
    assert written.differing() == []


@pytest.mark.parametrize(("where", "query"), tuple(queries()))
def test_every_queried_metric_is_exported_with_the_queried_labels(where: str, query: str) -> None:
    named = promql.read(query)
    known = exported.TARGET | exporters.JOINED

    for metric, matchers in named.selectors:
        check_selector(metric, matchers)
        known |= {"route", "label", "le"} if metric in RECORDED else set()
        known |= OURS.get(metric, set()) | OTHERS.get(metric, set())

    assert named.metrics or query.startswith("vector(")
    assert named.groupings <= known


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


def test_both_scrape_configurations_produce_the_same_labels() -> None:
    monitor = yaml.safe_load((COMPONENT / "podmonitor.yaml").read_text())["spec"]
    [endpoint] = monitor["podMetricsEndpoints"]
    plain = scrape_job("chestxray")

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
    [dropped] = scrape_job("chestxray")["metric_relabel_configs"]

    assert re.fullmatch(dropped["regex"], "bentoml_service_request_total")
    assert not any(re.fullmatch(dropped["regex"], name) for name in exported.labels())


def test_probe_and_plain_job_watch_the_same_address_in_the_same_way() -> None:
    probe = yaml.safe_load((ROOT / "k8s/components/blackbox/probe.yaml").read_text())["spec"]
    plain = scrape_job(BLACKBOX_JOB)
    [targets] = plain["static_configs"]
    replacements = {rule["target_label"]: rule for rule in plain["relabel_configs"]}

    assert probe["jobName"] == BLACKBOX_JOB
    assert (probe["interval"], probe["scrapeTimeout"], [probe["module"]]) == (
        plain["scrape_interval"],
        plain["scrape_timeout"],
        plain["params"]["module"],
    )
    assert probe["targets"]["staticConfig"]["static"] == targets["targets"]
    assert replacements["__address__"]["replacement"] == probe["prober"]["url"]
    assert replacements["instance"]["source_labels"] == ["__param_target"]


def test_probe_asks_for_the_public_address(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["base+blackbox"]
    [probed] = find(manifests, "Probe", "chestxray")["spec"]["targets"]["staticConfig"]["static"]
    [host] = find(rendered["production"], "HTTPRoute", "gateway")["spec"]["hostnames"]

    assert probed == f"https://{host}/"


def test_overlay_of_the_docs_sets_both_addresses_of_the_probe(tmp_path: Path) -> None:
    text = (ROOT / "docs/monitoring.md").read_text()
    [lines] = re.findall(r"```yaml\n(patches:.*?)```", text, re.S)
    path = write_mix(tmp_path, ["blackbox"]) / "kustomization.yaml"
    path.write_text(path.read_text() + lines)

    probe = find(build(tmp_path), "Probe", "chestxray")["spec"]

    values = re.findall(r"value: (\S+)", lines)
    assert [probe["prober"]["url"], *probe["targets"]["staticConfig"]["static"]] == values


def test_every_exported_metric_is_used_by_a_rule_dashboard_or_autoscaler() -> None:
    asked = {metric for _, query in queries() for metric in promql.read(query).metrics}
    asked.add(ADAPTER_RULE["seriesQuery"].partition("{")[0])

    watched = {field for name, field in exported.fields().items() if name in asked}

    assert watched == set(exported.fields().values())
    assert asked >= set(exported.of_node())
