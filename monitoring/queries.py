"""Short ways to write what dashboards ask of Prometheus."""

_NAMESPACE = 'namespace=~"$namespace"'
"""What the dashboard's picker chose; outside of a cluster no label is an empty one, which fits."""
WINDOW = "$__rate_interval"
"""Grafana's: at least four scrapes, and as long as a point of the picture is wide."""


def gauge(metric: str, *matchers: str) -> str:
    """A metric as it is."""
    return f"{metric}{{{', '.join([_NAMESPACE, *matchers])}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """How much a counter grows each second, summed by labels."""
    return _sum(f"rate({gauge(metric, *matchers)}[{WINDOW}])", by)


def increase(metric: str, window: str, *matchers: str, by: str = "") -> str:
    """How much a counter has grown within a window, summed by labels."""
    return _sum(f"increase({gauge(metric, *matchers)}[{window}])", by)


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """The value within which a share of what was observed lies."""
    buckets = rate(f"{histogram}_bucket", *matchers, by=", ".join(filter(None, [by, "le"])))
    return f"histogram_quantile({share:g}, {buckets})"


def mean(histogram: str, *matchers: str, by: str = "") -> str:
    """The mean of what was observed."""
    total, count = (rate(f"{histogram}_{part}", *matchers, by=by) for part in ("sum", "count"))
    return f"{total} / {count}"


def _sum(query: str, by: str) -> str:
    return f"sum by ({by}) ({query})" if by else f"sum({query})"
