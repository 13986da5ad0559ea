"""Every alert has a runbook that its link leads to, and a line in the docs."""

import re
from pathlib import Path

import pytest
import yaml

from bentos.settings import Settings
from monitoring import __main__ as written
from monitoring.rules import RUNBOOKS
from tests.conftest import ROOT
from tests.k8s import exported, promql
from tests.k8s.generated import ALERTS, COMPONENT, PLAIN, check_selector
from tests.k8s.rendering import build, find, write_mix

DOCUMENT = ROOT / "docs/monitoring.md"


def test_alert_texts_use_only_labels_of_their_alert() -> None:
    for alert in ALERTS:
        known = promql.read(alert.query).groupings | set(alert.labels) | {"route"}
        known |= exported.TARGET if "sum" not in alert.query else set()
        for label in re.findall(r"\$labels\.(\w+)", alert.summary + alert.description):
            assert label in known, (alert.name, label)


def test_alerts_and_runbooks_correspond() -> None:
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}

    assert pages == {alert.name for alert in ALERTS}
    for alert in ALERTS:
        annotations = alert.document(RUNBOOKS)["annotations"]
        assert annotations["runbook_url"] == f"{RUNBOOKS}/{alert.name}.md"
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
            check_selector(metric, matchers)
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


def test_runbook_links_start_with_the_chosen_address() -> None:
    chosen = written.render("https://wiki.example.org/runbooks")

    for path in (PLAIN / "rules.yaml", COMPONENT / "prometheusrule.yaml"):
        links = re.findall(r"runbook_url: (\S+)", chosen[path])
        assert len(links) == len(ALERTS)
        assert all(link.startswith("https://wiki.example.org/runbooks/Ch") for link in links)


def test_overlay_of_the_docs_sets_the_address_of_the_runbooks(tmp_path: Path) -> None:
    [lines] = re.findall(r"```yaml\n(configMapGenerator:.*?)```", DOCUMENT.read_text(), re.S)
    base = yaml.safe_load((write_mix(tmp_path, ["monitoring"]) / "kustomization.yaml").read_text())
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(base | yaml.safe_load(lines)))
    [address] = re.findall(r"- docs=(\S+)", lines)

    manifests = build(tmp_path)

    groups = find(manifests, "PrometheusRule", "chestxray")["spec"]["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert [rule["annotations"]["runbook_url"] for rule in alerts] == [
        f"{address}/runbooks/{rule['alert']}.md" for rule in alerts
    ]
    assert len(alerts) == len(ALERTS)
    assert "links" not in {each["metadata"]["name"] for each in manifests}
