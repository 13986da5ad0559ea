"""Dashboard: traffic and objectives."""

from monitoring.boards import Dashboard, Panel, Row
from monitoring.objectives import ANALYSES, ERROR_RATE, SHED_RATE, SLOW_SECONDS
from monitoring.queries import gauge, increase, rate

_REQUESTS = "chestxray_requests_total"


def traffic() -> Dashboard:
    """Builds the dashboard."""
    rows = [Row("Traffic", _TRAFFIC), Row("Objectives", _OBJECTIVES), Row("Callers", _CALLERS)]
    return Dashboard("traffic", "traffic", rows)


def _shares(bad: str, total: str) -> dict[str, str]:
    """Queries for a share of the requests by route, over a short and a long window."""
    return {
        f"{{{{route}}}}, {window}": f"{gauge(f'chestxray:requests_{bad}:rate{window}')}"
        f" / {gauge(f'chestxray:requests_{total}:rate{window}')}"
        for window in ("5m", "1h")
    }


_TRAFFIC = [
    Panel(
        "Requests by outcome",
        "reqps",
        {"{{outcome}}": rate(_REQUESTS, ANALYSES, by="outcome")},
        "Requests to both analysis routes.",
        "stack",
    ),
    Panel(
        "Requests by route",
        "reqps",
        {"{{route}}": rate(_REQUESTS, by="route")},
        "All requests, including those of the web page.",
        "stack",
    ),
    Panel(
        "Images by the filter's verdict",
        "cps",
        {"{{verdict}}": rate("chestxray_filter_verdicts_total", by="verdict")},
        "One verdict for every decoded image.",
        "stack",
    ),
]
_OBJECTIVES = [
    Panel(
        "Error rate",
        "percentunit",
        _shares("failed", "judged"),
        f"Server errors and missed deadlines; the objective is {ERROR_RATE:.1%}.",
    ),
    Panel(
        "Slow responses",
        "percentunit",
        _shares("slow", "answered"),
        f"Share of responses that took more than {SLOW_SECONDS} s.",
    ),
    Panel(
        "Shed requests by reason",
        "reqps",
        {"{{reason}}": rate("chestxray_shed_total", by="reason")},
        f"Rejected by admission control; the objective is {SHED_RATE:.0%} of the requests.",
        "stack",
    ),
]
_CALLERS = [
    Panel(
        "Requests above a quota",
        "reqps",
        {"{{quota}}": rate("chestxray_quota_refusals_total", by="quota")},
        "Answered 429, by whose quota was used up.",
        "stack",
    ),
    Panel(
        "Failures of the quotas' store and of the audit file",
        "short",
        {
            "store": increase("chestxray_quota_store_failures_total", "1h"),
            "audit file": increase("chestxray_audit_failures_total", "1h"),
        },
        "Per hour. While the store fails, each gateway counts by itself; lines that the audit file "
        "lacks are lost.",
    ),
]
