"""What scales a workload is exported, and what wakes one does not need it awake."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.k8s import exported, promql


def documents(kind: str) -> Iterator[dict[str, Any]]:
    """Every object of a kind, and every patch of one, in k8s/."""
    for path in sorted((ROOT / "k8s").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict) and document.get("kind") == kind:
                yield document


def trigger_queries() -> list[str]:
    return [
        trigger["metadata"]["query"]
        for scaled in documents("ScaledObject")
        for trigger in scaled["spec"].get("triggers", [])
    ]


def strangers(query: str) -> set[str]:
    """What a query names that gateways do not count."""
    return {metric for metric in promql.read(query).metrics if not exported.by_gateways(metric)}


def test_what_wakes_a_workload_is_counted_by_gateways() -> None:
    queries = trigger_queries()

    assert queries
    for query in queries:
        assert promql.read(query).metrics
        assert strangers(query) == set()
        for metric, matchers in promql.read(query).selectors:
            assert {each.label for each in matchers} <= exported.labels()[metric] | exported.TARGET
            assert ("workload", "classifier") not in {(m.label, m.value) for m in matchers}


@pytest.mark.parametrize("metric", ["chestxray_batch_size_sum", "chestxray_nothing_total", "up"])
def test_a_metric_of_the_woken_alone_would_be_found(metric: str) -> None:
    assert strangers(f"sum(rate({metric}[1m])) + sum(chestxray_shed_total)") == {metric}


def test_an_autoscaler_asks_for_a_metric_of_the_pods_that_it_scales() -> None:
    scalers = list(documents("HorizontalPodAutoscaler"))

    assert scalers
    for scaler in scalers:
        assert scaler["spec"]["minReplicas"] >= 1
        for each in scaler["spec"]["metrics"]:
            if each["type"] == "Pods":
                metric = each["pods"]["metric"]
                labels = metric.get("selector", {}).get("matchLabels", {})
                assert set(labels) <= exported.labels()[metric["name"]]
                for label, value in labels.items():
                    assert exported.can_have(metric["name"], label, value)
