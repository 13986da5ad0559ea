"""Alerts on the DICOM node, which only some installations have."""

from monitoring.rules import Alert, Group

OLD_SECONDS = 1800.0
"""Half an hour: longer than a restart of an archive, and far below the age at which an object is
given up."""
_FULL_SHARE = 0.8
_PREFIX = "chestxray_dicom_"


def groups() -> list[Group]:
    """Returns the rules on the node's presence, its queue, and its destination."""
    rules = [_absent(), _refusing(), _nearly_full(), _old(), _given_up(), _destination()]
    return [Group("chestxray.dicom", "30s", rules)]


def _absent() -> Alert:
    metric = f"{_PREFIX}queue_limit_bytes"
    return Alert(
        name="ChestxrayDicomNodeAbsent",
        severity="critical",
        # Not absent(): most installations have no node. One that was there within a day is missed.
        query=f"""
            group by (namespace) (present_over_time({metric}[1d]))
            unless on (namespace)
            group by (namespace) ({metric})
        """,
        lasts="5m",
        summary="The DICOM node is gone",
        description="""
            The node has not been scraped for five minutes: it is not running, or scraping is
            broken. A PACS that sends is refused, and nothing of the queue is answered.""",
    )


def _refusing() -> Alert:
    return Alert(
        name="ChestxrayDicomRefusing",
        severity="critical",
        query=f"""
            sum by (namespace) (
              increase({_PREFIX}objects_received_total{{receipt=~"full|failed"}}[10m])
            ) > 0
        """,
        lasts="0m",
        summary="The DICOM node refuses objects",
        description="""
            In ten minutes {{ $value | printf "%.0f" }} objects were answered with out of resources:
            the queue is full, or its disk cannot be written.""",
    )


def _nearly_full() -> Alert:
    return Alert(
        name="ChestxrayDicomQueueNearlyFull",
        severity="warning",
        query=f"""
            max by (namespace, pod) (
              {_PREFIX}queue_bytes / {_PREFIX}queue_limit_bytes
            ) > {_FULL_SHARE:g}
        """,
        lasts="5m",
        summary="The queue of the DICOM node is nearly full",
        description="""
            The queue has {{ $value | humanizePercentage }} of its limit. When it is full, objects
            are refused.""",
    )


def _old() -> Alert:
    return Alert(
        name="ChestxrayDicomQueueOld",
        severity="warning",
        query=f"""
            max by (namespace, pod) ({_PREFIX}queue_oldest_seconds) > {OLD_SECONDS:g}
        """,
        lasts="5m",
        summary="An object in the queue of the DICOM node is not answered",
        description="""
            The oldest object has waited for {{ $value | humanizeDuration }}: the service or the
            destination is away, or slower than objects arrive.""",
    )


def _given_up() -> Alert:
    return Alert(
        name="ChestxrayDicomGivenUp",
        severity="warning",
        # The series exist from the start, so the increase counts the first one.
        query=f"""
            sum by (namespace) (
              increase({_PREFIX}objects_processed_total{{result="given_up"}}[1h])
            ) > 0
        """,
        lasts="0m",
        summary="The DICOM node has given up objects",
        description="""
            In an hour {{ $value | printf "%.0f" }} objects were moved to the folder failed of the
            queue, each with a reason. Nobody gets their results.""",
    )


def _destination() -> Alert:
    def tries(delivery: str) -> str:
        metric = f'{_PREFIX}deliveries_total{{delivery="{delivery}"}}'
        return f"sum by (namespace) (increase({metric}[15m]))"

    return Alert(
        name="ChestxrayDicomDestinationFailing",
        severity="warning",
        # An object is tried again after five minutes at most, so that no window is without a try.
        query=f"""
            {tries("failed")} > 0
            unless on (namespace)
            {tries("stored")} > 0
        """,
        lasts="15m",
        summary="The destination of the DICOM node stores nothing",
        description="""
            For half an hour every try to send results has failed. They wait in the queue.""",
    )
