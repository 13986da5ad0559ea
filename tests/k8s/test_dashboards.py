"""Dashboards are deployed, and say what they need."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from monitoring import objectives
from monitoring.boards import Dashboard
from monitoring.dashboards import dashboards
from tests.k8s import exporters, promql
from tests.k8s.generated import COMPONENT, ROWS


def page_of(board: Dashboard) -> dict[str, Any]:
    """The generated JSON of a dashboard."""
    return dict(json.loads((COMPONENT / "dashboards" / f"{board.name}.json").read_text()))


def test_every_dashboard_is_deployed_and_fits_in_a_config_map() -> None:
    generator = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["configMapGenerator"]
    files = [COMPONENT / name for name in generator[0]["files"]]

    assert files == [COMPONENT / "dashboards" / f"{board.name}.json" for board in dashboards()]
    assert sum(path.stat().st_size for path in files) < 2**20
    for path in files:
        panels = list(panels_in(json.loads(path.read_text())["panels"]))
        assert len({panel["id"] for panel in panels}) == len(panels)


def panels_in(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All panels, those inside of collapsed rows among them."""
    for panel in panels:
        yield panel
        yield from panels_in(panel.get("panels") or [])


def test_panels_of_an_exporter_lie_in_a_collapsed_row_that_names_it() -> None:
    for board, row in ROWS:
        page = page_of(board)
        [heading] = [panel for panel in page["panels"] if panel.get("title") == row.title]
        asked = {
            metric
            for panel in row.panels
            for query in panel.queries.values()
            for metric in promql.read(query).metrics
        }

        assert heading["collapsed"] is bool(row.needs)
        for exporter in row.needs:
            assert exporter in row.title
            assert asked & set(exporters.OF_PANELS[exporter]), (row.title, exporter)


def test_single_numbers_show_the_objectives_as_thresholds() -> None:
    overview = dashboards()[0]
    red = {
        panel.title: [each.start for each in panel.thresholds if each.color == "red"]
        for row in overview.rows
        for panel in row.panels
        if panel.kind == "stat"
    }

    assert red["Errors"] == [objectives.ERROR_RATE]
    assert red["Shed requests"] == [objectives.SHED_RATE]
    assert red["Latency, 95th percentile"] == [1.5]


def test_prices_are_variables_with_a_value() -> None:
    page = page_of(dashboards()[0])
    text = json.dumps(page["panels"])

    for name in ("cpu_price", "gpu_price"):
        [variable] = [each for each in page["templating"]["list"] if each["name"] == name]
        assert float(variable["current"]["value"]) > 0
        assert f"${name}" in text


def test_variable_pod_exists_where_a_query_uses_it() -> None:
    for board in dashboards():
        page = page_of(board)
        names = {variable["name"] for variable in page["templating"]["list"]}
        assert ("$pod" in json.dumps(page["panels"])) is ("pod" in names), board.name
