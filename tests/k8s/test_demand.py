"""The query that scales the tier counts what reaches the classifier, of one namespace."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.rendering import K8S, Manifest, build, find, overlay
from tests.k8s.simulation.classifiers import Counts, demand

Rendered = dict[str, list[Manifest]]
HERE, ELSEWHERE = "chestxray", "staging"
MINUTES = 10


def query(manifests: list[Manifest]) -> str:
    spec = find(manifests, "ScaledObject", "classifier")["spec"]
    return str(spec["triggers"][0]["metadata"]["query"])


@dataclass(frozen=True)
class Gateways:
    """What the gateways of a namespace count in each second."""

    films: float = 0
    rejected: float = 0
    refused: float = 0
    over_their_share: float = 0
    namespace: str = HERE

    @property
    def counts(self) -> Counts:
        return Counts(self.films, self.films + self.rejected, self.refused)

    def series(self) -> list[dict[str, str]]:
        """Input series of promtool, of two pods that share the load."""
        counters = {
            'chestxray_filter_verdicts_total{verdict="frontal_chest"': self.films,
            'chestxray_filter_verdicts_total{verdict="not_an_xray"': self.rejected,
            'chestxray_shed_total{reason="images"': self.refused,
            'chestxray_shed_total{reason="share"': self.over_their_share,
        }
        rows = []
        for pod in ("a", "b"):
            of = f', namespace="{self.namespace}", pod="{self.namespace}-{pod}"}}'
            for series, rate in counters.items():
                rows.append({"series": series + of, "values": f"0+{rate / 2 * 15}x{4 * MINUTES}"})
            limit = "chestxray_admission_limit{" + of.removeprefix(", ")
            rows.append({"series": limit, "values": f"48x{4 * MINUTES}"})
        return rows


def check(promtool: str, folder: Path, expression: str, *gateways: Gateways, value: Any) -> None:
    """Has promtool evaluate the query over these gateways; None for a result that is empty."""
    samples = [] if value is None else [{"labels": f'{{namespace="{HERE}"}}', "value": value}]
    test = {
        "interval": "15s",
        "input_series": [row for each in gateways for row in each.series()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{MINUTES}m", "exp_samples": samples}
        ],
    }
    run(promtool, folder, test)


def run(promtool: str, folder: Path, test: dict[str, Any]) -> None:
    """Runs one test of promtool. Raises AssertionError."""
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    command = [promtool, "test", "rules", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("gateways", "value"),
    [
        (Gateways(films=10), 10),
        (Gateways(rejected=200, refused=70), 0),
        (Gateways(films=10, rejected=190, refused=100), 15),
        (Gateways(films=20, refused=100), 40),
        (Gateways(films=20, over_their_share=100), 20),
        (Gateways(), 0),
    ],
    ids=["films", "noise", "films among noise", "overload", "a caller over its share", "nothing"],
)
def test_demand_is_what_reaches_the_classifier(
    gateways: Gateways, value: float, promtool: str, tmp_path: Path
) -> None:
    other = Gateways(films=500, refused=100, namespace=ELSEWHERE)

    assert demand(gateways.counts) == value
    check(promtool, tmp_path, query(overlay("serverless")), gateways, other, value=value)


def test_demand_is_zero_where_gateways_have_been_scraped_once(
    promtool: str, tmp_path: Path
) -> None:
    """As after an installation: an error would start pods by the fallback."""
    limit = f'chestxray_admission_limit{{namespace="{HERE}", pod="a"}}'
    test = {
        "interval": "15s",
        "input_series": [{"series": limit, "values": "48"}],
        "promql_expr_test": [
            {
                "expr": query(overlay("serverless")),
                "eval_time": "0s",
                "exp_samples": [{"labels": f'{{namespace="{HERE}"}}', "value": 0}],
            }
        ],
    }

    run(promtool, tmp_path, test)


def test_demand_is_unknown_where_no_gateway_is_scraped(promtool: str, tmp_path: Path) -> None:
    other = Gateways(films=500, namespace=ELSEWHERE)

    check(promtool, tmp_path, query(overlay("serverless")), other, value=None)


def test_overlay_in_another_namespace_counts_its_own_gateways(tmp_path: Path) -> None:
    """The overlay's block of replacements sets it, and must follow the query's quotes."""
    shipped = (K8S / "overlays/serverless/kustomization.yaml").read_text()
    moved = shipped.replace(f"namespace: {HERE}", f"namespace: {ELSEWHERE}")
    moved = moved.replace("../..", os.path.relpath(K8S, tmp_path))
    (tmp_path / "kustomization.yaml").write_text(moved)

    spec = find(build(tmp_path), "ScaledObject", "classifier")["spec"]

    assert len(spec["triggers"]) == 2
    for each in spec["triggers"]:
        found = each["metadata"]["query"]
        assert f'namespace="{ELSEWHERE}"' in found
        assert f'"{HERE}"' not in found
