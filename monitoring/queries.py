"""PromQL building blocks for dashboards."""

_NAMESPACE = 'namespace=~"$namespace"'
"""Set by the dashboard's namespace variable. Its "All" value, `.*`, also matches series without the
label, as outside a cluster."""
POD = 'pod=~"$pod"'
"""Set by the variable `pod` of the dashboards that have it."""
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


def gpu(metric: str) -> str:
    """Selects a metric of the GPUs that classifier pods use, however dcgm-exporter is scraped.

    Without honor_labels Prometheus renames the labels of the pod that uses the GPU.
    """
    own = gauge(metric, 'container="classifier"')
    return f'{metric}{{exported_{_NAMESPACE}, exported_container="classifier"}} or {own}'


def demand() -> str:
    """Images per second that classifiers would get if no gateway were at capacity.

    The classifier tier is scaled by the same sum: what the filter rejects costs a classifier
    nothing, and of the images that were refused the same share would have passed.
    """
    verdicts, by = "chestxray_filter_verdicts_total", "namespace"
    passing = rate(verdicts, 'verdict="frontal_chest"', by=by)
    refused = rate("chestxray_shed_total", 'reason="images"', by=by)
    refusals = f"clamp_max({refused} / clamp_min({rate(verdicts, by=by)}, 1), 1)"
    return f"sum({passing} * (1 + {refusals}))"


def share(part: str, whole: str) -> str:
    """A share that is 0 while there is nothing to have a share of."""
    return f"{part} / ({whole} > 0) or vector(0)"


def _sum(query: str, by: str) -> str:
    return f"sum by ({by}) ({query})" if by else f"sum({query})"
