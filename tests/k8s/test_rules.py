"""Every alert fires when it should and only then, tested with promtool."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

RULES = ROOT / "k8s/monitoring-plain/rules.yaml"
CASES = sorted((ROOT / "tests/k8s/rules").glob("*.yaml"))


def check(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_pass_promtool_check(promtool: str) -> None:
    check(promtool, "check", "rules", "--lint-fatal", RULES)


def test_scrape_configuration_passes_promtool_check(promtool: str, tmp_path: Path) -> None:
    configuration = yaml.safe_load((ROOT / "k8s/monitoring-plain/prometheus.yml").read_text())
    # Debian's Prometheus is built without its client of Kubernetes.
    [discovery] = [
        job.pop("kubernetes_sd_configs")[0]
        for job in configuration["scrape_configs"]
        if "kubernetes_sd_configs" in job
    ]
    configuration["rule_files"] = [str(RULES)]
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))

    check(promtool, "check", "config", path)
    assert discovery["role"] == "pod"


@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_alert_rule_cases_pass(case: Path, promtool: str) -> None:
    check(promtool, "test", "rules", case)


def test_every_alert_has_a_firing_and_a_silent_case() -> None:
    fires, quiet = set(), set()
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for each in test["promql_expr_test"]:
                fires |= {_labels(sample["labels"]) for sample in each["exp_samples"]}
                if not each["exp_samples"]:
                    quiet |= set(re.findall(r'alertname="(\w+)"', each["expr"]))
    rules = [r for group in yaml.safe_load(RULES.read_text())["groups"] for r in group["rules"]]
    alerts = [rule for rule in rules if "alert" in rule]

    assert quiet == {rule["alert"] for rule in alerts}
    for rule in alerts:
        wanted = {("alertname", rule["alert"]), *rule["labels"].items()}
        assert any(wanted <= found for found in fires), wanted


def _labels(series: str) -> frozenset[tuple[str, str]]:
    return frozenset(re.findall(r'(\w+)="([^"]*)"', series))
