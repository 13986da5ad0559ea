"""Autoscalers use exported metrics; what activates a workload does not depend on it running."""

import pytest
import yaml

from tests.k8s import exported, promql
from tests.k8s.rendering import K8S, Manifest, of_kind

Rendered = dict[str, list[Manifest]]
ADAPTER = K8S / "components/autoscaling-hpa/prometheus-adapter.yaml"
[ADAPTER_RULE] = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]


def objects_of_kind(rendered: Rendered, kind: str) -> list[Manifest]:
    """The objects of a kind in every overlay and mix."""
    found = [each for manifests in rendered.values() for each in of_kind(manifests, kind)]
    assert found
    return found


def metrics_of_other_pods(query: str) -> set[str]:
    """Metrics in a query that gateways do not export."""
    return {
        metric
        for metric in promql.read(query).metrics
        if not exported.is_exported_by_gateways(metric)
    }


def test_metrics_that_activate_a_workload_are_exported_by_gateways(rendered: Rendered) -> None:
    for scaled in objects_of_kind(rendered, "ScaledObject"):
        assert scaled["spec"]["scaleTargetRef"]["name"] == "classifier"
        for trigger in scaled["spec"]["triggers"]:
            named = promql.read(trigger["metadata"]["query"])
            assert named.metrics
            assert metrics_of_other_pods(trigger["metadata"]["query"]) == set()
            for metric, matchers in named.selectors:
                for each in matchers:
                    assert each.label in exported.labels()[metric] | exported.TARGET
                    assert all(exported.can_have(metric, each.label, v) for v in each.values)
                    assert "classifier" not in each.values


@pytest.mark.parametrize("metric", ["chestxray_batch_size_sum", "chestxray_nothing_total", "up"])
def test_metric_not_exported_by_gateways_is_detected(metric: str) -> None:
    assert metrics_of_other_pods(f"sum(rate({metric}[1m])) + sum(chestxray_shed_total)") == {metric}


def test_autoscaler_uses_a_metric_of_the_pods_that_it_scales(rendered: Rendered) -> None:
    for scaler in objects_of_kind(rendered, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == "gateway"
        assert scaler["spec"]["minReplicas"] >= 1
        by_type = {each["type"]: each for each in scaler["spec"]["metrics"]}
        assert set(by_type) == {"Resource", "Pods"}
        assert by_type["Pods"]["pods"]["metric"] == {"name": ADAPTER_RULE["name"]["as"]}


def test_metrics_adapter_reads_a_metric_of_gateways() -> None:
    name = ADAPTER_RULE["seriesQuery"].partition("{")[0]

    assert exported.is_exported_by_gateways(name)
    assert set(ADAPTER_RULE["resources"]["overrides"]) <= exported.TARGET
