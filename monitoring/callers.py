"""Alerts on what is written and counted about callers."""

from monitoring.rules import Alert, Group


def groups() -> list[Group]:
    """Returns the rules on the audit file and on the store of quotas."""
    return [Group("chestxray.callers", "30s", [_audit(), _quotas()])]


def _audit() -> Alert:
    return Alert(
        name="ChestxrayAuditFailing",
        severity="critical",
        # A single line that is lost is missing for good.
        query="""
            sum by (namespace, pod) (increase(chestxray_audit_failures_total[10m])) > 0
        """,
        lasts="0m",
        summary="{{ $labels.pod }} loses lines of the audit file",
        description="""
            {{ $value | printf "%.0f" }} lines in ten minutes could not be written and are lost;
            requests are answered all the same.""",
    )


def _quotas() -> Alert:
    return Alert(
        name="ChestxrayQuotaStoreFailing",
        severity="warning",
        # A gateway with callers asks a store that fails every five seconds. The window is shorter
        # than the time for which it lasts: one failure alone never fires.
        query="""
            sum by (namespace) (increase(chestxray_quota_store_failures_total[4m])) > 0
        """,
        lasts="5m",
        summary="The shared store of quotas fails",
        description="""
            Each gateway counts by itself: a caller may send its quota to each of them.""",
    )
