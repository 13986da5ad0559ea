"""Alerts on deliveries to callers' webhooks, which only some installations have."""

from monitoring.rules import Alert, Group

_LATE_SECONDS = 600.0
"""A gateway looks once a second for what is due. Receivers that fail are not counted; one that is
slow, and has many messages, has one at a time in each gateway, for 15 seconds at most."""


def groups() -> list[Group]:
    """Returns the rules on deliveries that are late, and on those that all fail."""
    return [Group("chestxray.webhooks", "30s", [_late(), _failing()])]


def _late() -> Alert:
    return Alert(
        name="ChestxrayWebhooksLate",
        severity="warning",
        # All gateways tell of the same table, each as of its own last look.
        query=f"""
            max by (namespace) (chestxray_webhook_overdue_seconds) > {_LATE_SECONDS:g}
        """,
        lasts="10m",
        summary="Messages to webhooks are late",
        description="""
            A message has been due for {{ $value | humanizeDuration }}: gateways do not deliver.
            No message is lost before its job expires.""",
    )


def _failing() -> Alert:
    return Alert(
        name="ChestxrayWebhooksFailing",
        severity="warning",
        # Of one receiver that is away there are few attempts in an hour; none delivered among many
        # is a fault of ours or of the way out.
        query="""
            sum by (namespace)
            (increase(chestxray_webhook_attempts_total{outcome!="delivered"}[1h])) > 20
            unless sum by (namespace)
            (increase(chestxray_webhook_attempts_total{outcome="delivered"}[1h])) > 0
        """,
        lasts="10m",
        summary="No message to any webhook arrives",
        description="""
            {{ $value | humanize }} attempts have failed within an hour, and none succeeded:
            probably gateways cannot reach the Internet.""",
    )
