"""What comes, and whether what is promised is kept."""

from monitoring.grafana import Dashboard, Panel
from monitoring.objectives import ANALYSES, ERROR_RATE, SHED_RATE, SLOW_SECONDS
from monitoring.queries import gauge, rate

_REQUESTS = "chestxray_requests_total"


def traffic() -> Dashboard:
    """The first to look at."""
    return Dashboard("traffic", "traffic", {"What comes": _COMES, "What is promised": _PROMISED})


def _shares(bad: str, total: str) -> dict[str, str]:
    """A share of the requests by route, over a short and a long window."""
    return {
        f"{{{{route}}}}, {window}": f"{gauge(f'chestxray:requests_{bad}:rate{window}')}"
        f" / {gauge(f'chestxray:requests_{total}:rate{window}')}"
        for window in ("5m", "1h")
    }


_COMES = [
    Panel(
        "Requests by outcome",
        "reqps",
        {"{{outcome}}": rate(_REQUESTS, ANALYSES, by="outcome")},
        "Requests to both routes of analyses.",
        "stack",
    ),
    Panel(
        "Requests by route",
        "reqps",
        {"{{route}}": rate(_REQUESTS, by="route")},
        "All requests, the page's own among them.",
        "stack",
    ),
    Panel(
        "Images by the filter's verdict",
        "cps",
        {"{{verdict}}": rate("chestxray_filter_verdicts_total", by="verdict")},
        "Every image that can be decoded gets one verdict.",
        "stack",
    ),
]
_PROMISED = [
    Panel(
        "Failed requests",
        "percentunit",
        _shares("failed", "judged"),
        f"Errors and passed deadlines, of what was let in; {ERROR_RATE:.1%} may fail.",
    ),
    Panel(
        "Slow answers",
        "percentunit",
        _shares("slow", "answered"),
        f"Answers that took over {SLOW_SECONDS} s.",
    ),
    Panel(
        "Shed requests by reason",
        "reqps",
        {"{{reason}}": rate("chestxray_shed_total", by="reason")},
        f"Refused for want of capacity; {SHED_RATE:.0%} of the requests may be.",
        "stack",
    ),
]
