"""Dashboard and panel descriptions, rendered to JSON by the Grafana Foundation SDK."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

Kind = Literal["lines", "stack", "heatmap"]
Source = Literal["", "cAdvisor", "kube-state-metrics"]
Builder = timeseries.Panel | heatmap.Panel

_DATA = DataSourceRef(type_val="prometheus", uid="${datasource}")
_TAG = "chestxray"
_HEIGHT, _WIDTH = 8, 8
"""In cells of Grafana's grid, which is 24 wide: three panels in a row."""


@dataclass(frozen=True)
class Panel:
    """One panel of a dashboard."""

    title: str
    unit: str  # a Grafana unit id
    queries: Mapping[str, str]
    """PromQL by legend format."""
    description: str
    kind: Kind = "lines"
    needs: Source = ""
    """Another exporter that the queries need; without it the panel is empty."""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard: rows of panels, each row under a heading."""

    name: str
    title: str
    rows: Mapping[str, Sequence[Panel]]
    note: str = ""
    """Markdown shown at the top."""

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows.values() for panel in row]


def render(board: Dashboard) -> str:
    """Returns the dashboard's JSON model."""
    builder, ids = _page(board), itertools.count(1)  # links refer to a panel by its id
    if board.note:
        note = text.Panel().content(board.note).mode(TextMode.MARKDOWN).id(next(ids))
        builder.with_panel(note.span(3 * _WIDTH).height(_HEIGHT // 2))
    for heading, panels in board.rows.items():
        builder.with_row(dashboard.Row(heading).id(next(ids)))
        for panel in panels:
            builder.with_panel(_panel(panel).id(next(ids)))
    return json.dumps(builder.build(), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"


def _page(board: Dashboard) -> dashboard.Dashboard:
    links = dashboard.DashboardLink("Chest X-ray").type(DashboardLinkType.DASHBOARDS)
    return (
        dashboard.Dashboard(f"Chest X-ray: {board.title}")
        .uid(f"chestxray-{board.name}")
        .tags([_TAG])
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.tags([_TAG]).keep_time(True).include_vars(True))
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("namespace")
            .query("label_values(chestxray_model_info, namespace)")
            .datasource(_DATA)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(VariableOption(selected=True, text="All", value="$__all"))
        )
    )


def _panel(panel: Panel) -> Builder:
    builder = _kind(panel)
    needs = f" Needs {panel.needs}." if panel.needs else ""
    builder.title(panel.title).description(panel.description + needs).datasource(_DATA)
    builder.span(_WIDTH).height(_HEIGHT)
    for letter, (legend, query) in zip("ABCDEFGH", panel.queries.items(), strict=False):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter)
        if panel.kind == "heatmap":
            target.format(PromQueryFormat.HEATMAP)
        builder.with_target(target)
    return builder


def _kind(panel: Panel) -> Builder:
    match panel.kind:
        case "heatmap":
            colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues")
            axis = heatmap.YAxisConfig().unit(panel.unit)
            return heatmap.Panel().unit("short").color(colors.steps(64)).y_axis(axis).show_tooltip()
        case "stack":
            stacking = common.StackingConfig().mode(StackingMode.NORMAL)
            return _lines(panel).fill_opacity(30).stacking(stacking)
        case "lines":
            return _lines(panel)


def _lines(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    legend = legend.placement(LegendPlacement.BOTTOM)
    return timeseries.Panel().unit(panel.unit).min(0).legend(legend).tooltip(tooltip)
