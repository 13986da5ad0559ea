"""Alerts on what is promised: how fast the errors that we may make are used up.

Multi-window, multi-burn-rate, after the SRE workbook, chapter 5, table 5-8: a burn rate of 1 uses
up the errors of 30 days in 30 days; the short window ends the alert soon after its cause has ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from bentos.gateway.analyses import PATHS
from loadtests import objectives
from monitoring.rules import Alert, Group, Record, Severity

_ROUTES = objectives.read().routes
ERROR_RATE = max(_ROUTES[path].error_rate for path in PATHS)
"""The share of requests that may fail: the same on both routes, a test holds it."""
SHED_RATE = max(_ROUTES[path].shed_rate for path in PATHS)
"""The share of requests that may be refused for want of capacity: the same on both routes, too."""

SLOW_SECONDS = 2.5
"""The one bound of the histogram that is promised on both routes, of different shares."""
SLOW_RATES = {PATHS[0]: 0.01, PATHS[1]: 0.05}
"""It is the 99th percentile of single images, the 95th of batches; a test compares both with the
objectives."""

ANALYSES = f'route=~"{"|".join(PATHS)}"'
ANSWERED = 'outcome=~"accepted|rejected"'
FAILED = 'outcome=~"deadline|server_error"'
JUDGED = 'outcome=~"accepted|rejected|deadline|server_error"'
"""Client errors are not ours to make or to avoid, and would hide failures behind a flood of them. A
request that was shed was told at once when to return, which clients do, and has an objective and an
alert of its own; as an error, the 1% that is promised there would use up ten times the 0.1% here,
and in the total alone it would dilute the errors just when overload makes them."""

_FEWEST = 5
"""Fewer requests than this in the long window wake nobody, whatever share of the traffic they are:
at night one may be all of it."""


@dataclass(frozen=True)
class Burn:
    """A speed at which errors are used up, and the windows in which it must be seen."""

    rate: float
    long: str
    long_seconds: int
    short: str
    severity: Severity
    lasts: str


BURNS = (
    Burn(14.4, "1h", 3600, "5m", "critical", "2m"),  # 2% of the 30 days' errors in an hour
    Burn(6, "6h", 6 * 3600, "30m", "critical", "5m"),  # 5% in six hours
    Burn(3, "1d", 24 * 3600, "2h", "warning", "15m"),  # 10% in a day
    Burn(1, "3d", 72 * 3600, "6h", "warning", "30m"),  # 10% in three days
)
_OFTEN, _SELDOM = ("5m", "30m", "1h"), ("2h", "6h", "1d", "3d")
"""Long windows read many samples and change slowly, so they are evaluated less often."""


def groups() -> list[Group]:
    """What is counted over each window, and the alerts on it."""
    return [
        Group("chestxray.windows.often", "30s", list(_records(_OFTEN))),
        # Within the five minutes after which Prometheus takes a value for gone.
        Group("chestxray.windows.seldom", "2m", list(_records(_SELDOM))),
        Group("chestxray.objectives", "30s", [*_availability(), *_latency()]),
    ]


def _records(windows: tuple[str, ...]) -> Iterator[Record]:
    return chain.from_iterable(_of_window(window) for window in windows)


def _of_window(window: str) -> Iterator[Record]:
    """Requests a second by route; nothing failed is 0, and not the absence of an answer."""
    total, seconds = "chestxray_requests_total", "chestxray_request_duration_seconds"
    yield Record(f"chestxray:requests_judged:rate{window}", _sum(total, JUDGED, window))
    yield Record(
        f"chestxray:requests_failed:rate{window}",
        f"{_sum(total, FAILED, window)}\nor 0 * chestxray:requests_judged:rate{window}",
    )
    yield Record(
        f"chestxray:requests_answered:rate{window}", _sum(f"{seconds}_count", ANSWERED, window)
    )
    fast = _sum(f"{seconds}_bucket", f'{ANSWERED}, le="{SLOW_SECONDS}"', window)
    yield Record(
        f"chestxray:requests_slow:rate{window}",
        f"chestxray:requests_answered:rate{window}\n- {fast}",
    )


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
            summary="Requests to {{ $labels.route }} fail",
            description=f"""
                {{{{ $value | humanizePercentage }}}} of the requests of the last {burn.long} failed
                or ran out of time, over {burn.rate:g} times the {ERROR_RATE:.1%} that may.""",
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
                summary="Answers of {{ $labels.route }} are slow",
                description=f"""
                    {{{{ $value | humanizePercentage }}}} of the answers of the last {burn.long}
                    took over {SLOW_SECONDS} s, over {burn.rate:g} times the {rate:.0%} that may.
                    """,
            )


def _burning(bad: str, total: str, allowed: float, burn: Burn, of: str = "") -> str:
    def share(window: str) -> str:
        return (
            f"(chestxray:requests_{bad}:rate{window}{of}"
            f" / chestxray:requests_{total}:rate{window}{of})"
        )

    bound = f"{burn.rate:g} * {allowed:g}"
    enough = f"{burn.long_seconds} * chestxray:requests_{bad}:rate{burn.long}{of} >= {_FEWEST}"
    return f"{share(burn.long)} > {bound}\nand\n{share(burn.short)} > {bound}\nand\n{enough}"
