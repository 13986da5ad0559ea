"""Grafana's panels, one for each kind, built by the Grafana Foundation SDK."""

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.boards import Panel

Builder = timeseries.Panel | heatmap.Panel | stat.Panel

DATA = DataSourceRef(type_val="prometheus", uid="${datasource}")
GRID_WIDTH = 24
"""Cells of Grafana's grid."""
HEIGHT, _WIDTH = 8, 8
_STAT_HEIGHT, _STAT_WIDTH = 4, 4
"""Three panels in a row, or six single numbers."""


def build(panel: Panel, panel_id: int) -> Builder:
    """Returns the builder of a panel."""
    builder = _kind(panel)
    builder.id(panel_id).title(panel.title).description(panel.description).datasource(DATA)
    if panel.empty:
        builder.no_value(panel.empty)
    for letter, (legend, query) in zip("ABCDEFGH", panel.queries.items(), strict=False):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter)
        if panel.kind == "heatmap":
            target.format(PromQueryFormat.HEATMAP)
        builder.with_target(target)
    return builder


def _kind(panel: Panel) -> Builder:
    match panel.kind:
        case "heatmap":
            return _heatmap(panel)
        case "stack":
            stacking = common.StackingConfig().mode(StackingMode.NORMAL)
            return _lines(panel).fill_opacity(30).stacking(stacking)
        case "lines":
            return _lines(panel)
        case "stat":
            return _stat(panel)


def _heatmap(panel: Panel) -> heatmap.Panel:
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    axis = heatmap.YAxisConfig().unit(panel.unit)
    builder = heatmap.Panel().unit("short").color(colors).y_axis(axis).show_tooltip()
    return builder.span(_WIDTH).height(HEIGHT)


def _lines(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    legend = legend.placement(LegendPlacement.BOTTOM)
    builder = timeseries.Panel().unit(panel.unit).min(0).legend(legend).tooltip(tooltip)
    return builder.span(_WIDTH).height(HEIGHT)


def _stat(panel: Panel) -> stat.Panel:
    # "last", not "lastNotNull": a value of an hour ago is not today's.
    latest = common.ReduceDataOptions().calcs(["last"])
    builder = stat.Panel().unit(panel.unit).reduce_options(latest)
    builder.graph_mode(BigValueGraphMode.AREA).color_mode(BigValueColorMode.NONE)
    if panel.thresholds:
        steps = [Threshold(value=each.start, color=each.color) for each in panel.thresholds]
        builder.color_mode(BigValueColorMode.BACKGROUND)
        builder.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return builder.span(_STAT_WIDTH).height(_STAT_HEIGHT)
