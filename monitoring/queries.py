"""PromQL building blocks for dashboards."""

_NAMESPACE = 'namespace=~"$namespace"'
"""Set by the dashboard's namespace variable. Its "All" value, `.*`, also matches series without the
label, as outside a cluster."""
WINDOW = "$__rate_interval"
"""Grafana's variable: at least four scrape intervals, and at least one step of the graph."""


def gauge(metric: str, *matchers: str) -> str:
    """Selects a metric in the chosen namespaces."""
    return f"{metric}{{{', '.join([_NAMESPACE, *matchers])}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Per-second rate of a counter, summed by labels."""
    return _sum(f"rate({gauge(metric, *matchers)}[{WINDOW}])", by)


def increase(metric: str, window: str, *matchers: str, by: str = "") -> str:
    """Increase of a counter over a window, summed by labels."""
    return _sum(f"increase({gauge(metric, *matchers)}[{window}])", by)


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """Quantile of a histogram; `share` is in 0..1."""
    buckets = rate(f"{histogram}_bucket", *matchers, by=", ".join(filter(None, [by, "le"])))
    return f"histogram_quantile({share:g}, {buckets})"


def mean(histogram: str, *matchers: str, by: str = "") -> str:
    """Mean of a histogram's observations."""
    total, count = (rate(f"{histogram}_{part}", *matchers, by=by) for part in ("sum", "count"))
    return f"{total} / {count}"


def _sum(query: str, by: str) -> str:
    return f"sum by ({by}) ({query})" if by else f"sum({query})"
