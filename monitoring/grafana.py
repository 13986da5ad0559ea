"""Renders descriptions of dashboards to Grafana's JSON."""

import itertools
import json
from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.text import TextMode

from monitoring.boards import Dashboard, Price, Row
from monitoring.panels import DATA, GRID_WIDTH, HEIGHT, build

_TAG = "chestxray"


def render(board: Dashboard) -> str:
    """Returns the dashboard's JSON model."""
    builder, ids = _page(board), itertools.count(1)  # links refer to a panel by its id
    if board.note:
        note = text.Panel().content(board.note).mode(TextMode.MARKDOWN).id(next(ids))
        builder.with_panel(note.span(GRID_WIDTH).height(HEIGHT // 2))
    for row in board.rows:
        _add(row, builder, ids)
    return json.dumps(builder.build(), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"


def _add(row: Row, builder: dashboard.Dashboard, ids: Iterator[int]) -> None:
    heading = dashboard.Row(row.title).id(next(ids))
    if row.needs:  # panels inside of a row collapse it
        for panel in row.panels:
            heading.with_panel(build(panel, next(ids)))
        builder.with_row(heading)
        return
    builder.with_row(heading)
    for panel in row.panels:
        builder.with_panel(build(panel, next(ids)))


def _page(board: Dashboard) -> dashboard.Dashboard:
    links = dashboard.DashboardLink("Chest X-ray").type(DashboardLinkType.DASHBOARDS)
    page = (
        dashboard.Dashboard(f"Chest X-ray: {board.title}")
        .uid(f"chestxray-{board.name}")
        .tags([_TAG])
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.tags([_TAG]).keep_time(True).include_vars(True))
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(_label("namespace", "chestxray_model_info"))
    )
    if board.by_pod:
        page.with_variable(_label("pod", 'chestxray_model_info{namespace=~"$namespace"}'))
    for price in board.prices:
        page.with_variable(_price(price))
    return page


def _label(name: str, series: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .query(f"label_values({series}, {name})")
        .datasource(DATA)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _price(price: Price) -> dashboard.TextBoxVariable:
    amount = f"{price.amount:g}"
    chosen = VariableOption(selected=True, text=amount, value=amount)
    variable = dashboard.TextBoxVariable(price.name).label(price.label).default_value(amount)
    return variable.current(chosen).options([chosen])
