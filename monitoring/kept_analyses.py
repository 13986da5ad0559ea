"""Alerts on the storage of kept analyses, which only some installations have."""

from monitoring.rules import Alert, Group

NEARLY_FULL_SHARE = 0.85
_LATE_SECONDS = 600.0
"""A sweep is begun every 90 seconds or sooner; one may delete for minutes. With the time for which
it lasts, the alert fires after an hour."""


def groups() -> list[Group]:
    """Returns the rules on failures, size and sweeps."""
    return [Group("chestxray.kept_analyses", "30s", [_failing(), _nearly_full(), _not_swept()])]


def _failing() -> Alert:
    return Alert(
        name="ChestxrayStorageFailing",
        severity="critical",
        # Shorter than the time for which it lasts: one failure alone never fires. A gateway asks a
        # database that is away every five seconds; the object store as often as there are requests.
        query="""
            sum by (namespace, part) (increase(chestxray_storage_failures_total[4m])) > 0
        """,
        lasts="5m",
        summary="The {{ $labels.part }} of kept analyses fails",
        description="""
            Operations have failed for five minutes. Requests that keep or read analyses are
            answered 503; analyses that are not kept go on.""",
    )


def _nearly_full() -> Alert:
    return Alert(
        name="ChestxrayStorageNearlyFull",
        severity="warning",
        query=f"""
            max by (namespace) (chestxray_kept_bytes / chestxray_kept_limit_bytes)
            > {NEARLY_FULL_SHARE:g}
        """,
        lasts="5m",
        summary="Kept analyses are near their limit",
        description="""
            The kept pictures have {{ $value | humanizePercentage }} of
            CHESTXRAY_MAX_KEPT_BYTES. At the limit no further analysis is kept.""",
    )


def _not_swept() -> Alert:
    return Alert(
        name="ChestxrayNotSwept",
        severity="warning",
        # The time is 0 before the first sweep, so that gateways which restart do not hide it. The
        # newest of all gateways, as each of them sweeps for all.
        query=f"""
            time() - max by (namespace, kind) (chestxray_last_sweep_timestamp_seconds)
            > {_LATE_SECONDS:g}
        """,
        lasts="50m",
        summary="Expired {{ $labels.kind }} are not deleted",
        description="""
            No gateway has completed a sweep of {{ $labels.kind }} for an hour: they are kept for
            longer than was promised.""",
    )
