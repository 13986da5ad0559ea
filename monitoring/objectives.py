"""SLO alerts: multi-window, multi-burn-rate alerts on availability and latency.

After the SRE Workbook, chapter 5, table 5-8. A burn rate of 1 spends the error budget of 30 days in
30 days. The short window resolves the alert soon after its cause is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from bentos.gateway.analyses import PATHS
from bentos.gateway.app import ADMITTED
from loadtests import objectives
from monitoring.rules import Alert, Group, Record, Severity

_ROUTES = objectives.read().routes
ERROR_RATE = max(_ROUTES[path].error_rate for path in PATHS)
"""Error budget as a share of requests; a test ensures that both routes have the same."""
SHED_RATE = max(_ROUTES[path].shed_rate for path in PATHS)
"""Objective for the share of shed requests; a test ensures that both routes have the same."""

SLOW_SECONDS = 2.5
"""The latency threshold of both routes' objectives, and a bucket bound of the histogram."""
P95_SECONDS = _ROUTES[PATHS[0]].p95_ms / 1000
"""The promised 95th percentile of single images."""
SLOW_RATES = {PATHS[0]: 0.01, PATHS[1]: 0.05}
"""Latency budget by route, as a share of responses: SLOW_SECONDS is the promised 99th percentile of
single images and the 95th of batches. A test compares both with the objectives. The Open Inference
Protocol's route has an objective of availability alone."""

AVAILABILITY_LEFT = "chestxray:availability_budget:left30d"
LATENCY_LEFT = "chestxray:latency_budget:left30d"
"""Shares of the error budgets of 30 days that are left, by route; below 0 they are overspent."""

ANALYSES = f'route=~"{"|".join(ADMITTED)}"'
ANSWERED = 'outcome=~"accepted|rejected"'
FAILED = 'outcome=~"deadline|server_error"'
JUDGED = 'outcome=~"accepted|rejected|deadline|server_error"'
"""Outcomes that count towards availability. Client errors are excluded: a flood of them would mask
failures. Shed requests are excluded: they have an objective and an alert of their own. Counted as
errors, the 1% allowed there would spend ten times the 0.1% here; counted in the total only, they
would dilute the errors exactly during overload."""

_MIN_BAD_REQUESTS = 5
"""Fewer bad requests in the long window never alert, whatever their share: at night, one request
may be all the traffic."""


@dataclass(frozen=True)
class Burn:
    """A burn rate and the two windows over which it must be exceeded."""

    rate: float
    long: str
    long_seconds: int
    short: str
    severity: Severity
    lasts: str


BURNS = (
    Burn(14.4, "1h", 3600, "5m", "critical", "2m"),  # 2% of the 30-day budget in an hour
    Burn(6, "6h", 6 * 3600, "30m", "critical", "5m"),  # 5% in six hours
    Burn(3, "1d", 24 * 3600, "2h", "warning", "15m"),  # 10% in a day
    Burn(1, "3d", 72 * 3600, "6h", "warning", "30m"),  # 10% in three days
)
_SHORT_WINDOWS, _LONG_WINDOWS = ("5m", "30m", "1h"), ("2h", "6h", "1d", "3d")
"""Long windows read many samples and change slowly, so they are evaluated less often."""


def groups() -> list[Group]:
    """Returns the recording rules of every window and the alerts on them."""
    return [
        Group("chestxray.windows.short", "30s", list(_records(_SHORT_WINDOWS))),
        # Must stay below the five minutes after which Prometheus considers a series stale.
        Group("chestxray.windows.long", "2m", [*_records(_LONG_WINDOWS), *_budgets()]),
        Group("chestxray.objectives", "30s", [*_availability(), *_latency()]),
    ]


def _records(windows: tuple[str, ...]) -> Iterator[Record]:
    return chain.from_iterable(_of_window(window) for window in windows)


def _of_window(window: str) -> Iterator[Record]:
    """Yields request rates by route; without failures the failure rate is 0, not absent."""
    total, seconds = "chestxray_requests_total", "chestxray_request_duration_seconds"
    yield Record(f"chestxray:requests_judged:rate{window}", _sum(total, JUDGED, window))
    yield Record(f"chestxray:requests_failed:rate{window}", _sum(total, FAILED, window))
    yield Record(
        f"chestxray:requests_answered:rate{window}", _sum(f"{seconds}_count", ANSWERED, window)
    )
    fast = _sum(f"{seconds}_bucket", f'{ANSWERED}, le="{SLOW_SECONDS}"', window)
    yield Record(
        f"chestxray:requests_slow:rate{window}",
        f"chestxray:requests_answered:rate{window}\n- {fast}",
    )


def _budgets() -> Iterator[Record]:
    """Yields the shares of both error budgets that are left of the last 30 days.

    Every rate over five minutes that was recorded counts once, so a restart of Prometheus or a
    shorter retention shortens both sums alike.
    """
    yield Record(AVAILABILITY_LEFT, _left("failed", "judged", f"{ERROR_RATE:g}"))
    latency = [
        _left("slow", "answered", f"{rate:g}", f'{{route="{route}"}}')
        for route, rate in SLOW_RATES.items()
    ]
    yield Record(LATENCY_LEFT, "\nor\n".join(latency))


def _left(bad: str, total: str, allowed: str, of: str = "") -> str:
    def spent(which: str) -> str:
        return f"sum_over_time(chestxray:requests_{which}:rate5m{of}[30d])"

    # A service that nobody used has spent nothing.
    return f"1 - {spent(bad)} / (clamp_min({spent(total)}, 1e-9) * {allowed})"


def _sum(metric: str, matchers: str, window: str) -> str:
    return f"sum by (namespace, route) (rate({metric}{{{ANALYSES}, {matchers}}}[{window}]))"


def _availability() -> Iterator[Alert]:
    for burn in BURNS:
        yield Alert(
            name="ChestxrayAvailabilityBurn",
            severity=burn.severity,
            labels={"window": burn.long},
            query=_burning("failed", "judged", ERROR_RATE, burn),
            lasts=burn.lasts,
            summary="Requests to {{ $labels.route }} are failing",
            description=f"""
                {{{{ $value | humanizePercentage }}}} of the requests in the last {burn.long} failed
                or missed their deadline: over {burn.rate:g} times the {ERROR_RATE:.1%} budget.""",
        )


def _latency() -> Iterator[Alert]:
    for route, rate in SLOW_RATES.items():
        for burn in BURNS:
            yield Alert(
                name="ChestxrayLatencyBurn",
                severity=burn.severity,
                labels={"window": burn.long, "route": route},
                query=_burning("slow", "answered", rate, burn, f'{{route="{route}"}}'),
                lasts=burn.lasts,
                summary="Responses of {{ $labels.route }} are slow",
                description=f"""
                    {{{{ $value | humanizePercentage }}}} of the responses in the last {burn.long}
                    took more than {SLOW_SECONDS} s: over {burn.rate:g} times the {rate:.0%} budget.
                    """,
            )


def _burning(bad: str, total: str, allowed: float, burn: Burn, of: str = "") -> str:
    def share(window: str) -> str:
        return (
            f"(chestxray:requests_{bad}:rate{window}{of}"
            f" / chestxray:requests_{total}:rate{window}{of})"
        )

    bound = f"{burn.rate:g} * {allowed:g}"
    count = f"{burn.long_seconds} * chestxray:requests_{bad}:rate{burn.long}{of}"
    enough = f"{count} >= {_MIN_BAD_REQUESTS}"
    return f"{share(burn.long)} > {bound}\nand\n{share(burn.short)} > {bound}\nand\n{enough}"
