"""Autoscalers use exported metrics; what activates a workload does not depend on it running."""

import pytest

from tests.k8s import exported, promql
from tests.k8s.rendering import Manifest, of_kind

Rendered = dict[str, list[Manifest]]


def everywhere(rendered: Rendered, kind: str) -> list[Manifest]:
    """The objects of a kind in every overlay and mix."""
    found = [each for manifests in rendered.values() for each in of_kind(manifests, kind)]
    assert found
    return found


def strangers(query: str) -> set[str]:
    """Metrics in a query that gateways do not export."""
    return {metric for metric in promql.read(query).metrics if not exported.by_gateways(metric)}


def test_what_wakes_a_workload_is_counted_by_gateways(rendered: Rendered) -> None:
    for scaled in everywhere(rendered, "ScaledObject"):
        assert scaled["spec"]["scaleTargetRef"]["name"] == "classifier"
        for trigger in scaled["spec"]["triggers"]:
            named = promql.read(trigger["metadata"]["query"])
            assert named.metrics
            assert strangers(trigger["metadata"]["query"]) == set()
            for metric, matchers in named.selectors:
                for each in matchers:
                    assert each.label in exported.labels()[metric] | exported.TARGET
                    assert all(exported.can_have(metric, each.label, v) for v in each.values)
                    assert "classifier" not in each.values


@pytest.mark.parametrize("metric", ["chestxray_batch_size_sum", "chestxray_nothing_total", "up"])
def test_a_metric_of_the_woken_alone_would_be_found(metric: str) -> None:
    assert strangers(f"sum(rate({metric}[1m])) + sum(chestxray_shed_total)") == {metric}


def test_an_autoscaler_asks_for_a_metric_of_the_pods_that_it_scales(rendered: Rendered) -> None:
    for scaler in everywhere(rendered, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == "gateway"
        assert scaler["spec"]["minReplicas"] >= 1
        for each in scaler["spec"]["metrics"]:
            metric = each["pods"]["metric"]
            assert exported.by_gateways(metric["name"])
            for label, value in metric["selector"]["matchLabels"].items():
                assert label in exported.labels()[metric["name"]]
                assert exported.can_have(metric["name"], label, value)
