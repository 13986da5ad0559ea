"""The tier scales by the images of jobs that wait, which every gateway counts alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadtests import measured_capacity as capacity
from tests.conftest import ROOT
from tests.k8s import chart
from tests.k8s.rendering import Manifest, find, overlay
from tests.k8s.simulation.autoscaler import replicas_for_total
from tests.k8s.test_demand import ELSEWHERE, HERE, run

Rendered = dict[str, list[Manifest]]
WORKED_OFF_SECONDS = 600
MIXES = ("serverless", "base+classifier+autoscaling-keda", "base+classifier+autoscaling-keda+gpu")


def triggers(manifests: list[Manifest]) -> tuple[dict[str, str], dict[str, str]]:
    """The metadata of both triggers: that of the demand, and that of jobs."""
    demand, jobs = find(manifests, "ScaledObject", "classifier")["spec"]["triggers"]
    return demand["metadata"], jobs["metadata"]


def waiting(namespace: str, pod: str, values: str) -> dict[str, str]:
    """An input series of promtool."""
    labels = f'namespace="{namespace}", pod="{pod}"'
    return {"series": f"chestxray_job_items_waiting{{{labels}}}", "values": values}


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ([waiting(HERE, "a", "5000"), waiting(HERE, "b", "5000")], 5000),
        ([waiting(HERE, "a", "5000"), waiting(ELSEWHERE, "a", "90000")], 5000),
        ([waiting(HERE, "a", "0"), waiting(HERE, "b", "0")], 0),
        ([waiting(ELSEWHERE, "a", "90000")], None),
    ],
    ids=["two gateways", "another namespace", "nothing waits", "no gateway is scraped"],
)
def test_images_of_jobs_are_counted_once_in_one_namespace(
    series: list[dict[str, str]], value: float | None, promtool: str, tmp_path: Path
) -> None:
    _, jobs = triggers(overlay("serverless"))
    samples: list[Any] = [{"labels": f'{{namespace="{HERE}"}}', "value": value}]
    expected = {"expr": jobs["query"], "eval_time": "0s"}
    expected["exp_samples"] = [] if value is None else samples

    run(
        promtool,
        tmp_path,
        {"interval": "15s", "input_series": series, "promql_expr_test": [expected]},
    )


@pytest.mark.parametrize("mix", MIXES)
def test_pod_has_as_many_images_of_jobs_as_it_does_in_ten_minutes(
    mix: str, rendered: Rendered
) -> None:
    demand, jobs = triggers(rendered[mix])

    assert float(jobs["threshold"]) == WORKED_OFF_SECONDS * float(demand["threshold"])


@pytest.mark.parametrize(("waits", "pods"), [(1, 1), (12_000, 1), (50_000, 5), (96_000, 8)])
def test_tier_has_the_pods_that_work_the_queue_off_in_time(
    waits: int, pods: int, rendered: Rendered
) -> None:
    demand, jobs = triggers(rendered["base+classifier+autoscaling-keda"])

    assert replicas_for_total(waits, float(jobs["threshold"]), 1) == pods
    assert waits / (pods * float(demand["threshold"])) <= WORKED_OFF_SECONDS


def test_tier_is_not_woken_for_a_job_that_a_gateway_does_before_a_pod_is_of_use(
    rendered: Rendered,
) -> None:
    _, jobs = triggers(rendered["base+classifier+autoscaling-keda+scale-to-zero"])
    rows = json.loads((ROOT / "results/trials/jobs.json").read_text())["rows"]
    [beside] = [row["found"] for row in rows if row["name"].startswith("films/s beside")]
    activation = float(jobs["activationThreshold"])

    assert activation / capacity.read().images_per_second < 60
    assert activation / float(beside) < 120
    assert activation < float(jobs["threshold"])


def test_chart_multiplies_the_rate_of_a_pod_by_the_seconds_of_its_value() -> None:
    changes = {"threshold": {"cpu": 30, "gpu": 500}, "backlogSeconds": 60, "scaleToZero": True}
    made = chart.template(chart.keda(backlogActivation=7, **changes))
    demand, jobs = triggers(made)

    assert (demand["threshold"], jobs["threshold"]) == ("30", "1800")
    assert jobs["activationThreshold"] == "7"
    assert jobs["serverAddress"] == demand["serverAddress"]
