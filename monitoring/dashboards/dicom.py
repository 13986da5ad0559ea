"""Dashboard: the DICOM node, its queue and its destination."""

from monitoring.boards import Dashboard, Panel, Row
from monitoring.queries import gauge, rate

_PREFIX = "chestxray_dicom_"


def dicom() -> Dashboard:
    """Builds the dashboard."""
    return Dashboard(
        "dicom",
        "DICOM node",
        [Row("Queue", _QUEUE), Row("Objects", _OBJECTS)],
        note="Empty where no `chestxray dicom` runs.",
    )


_QUEUE = [
    Panel(
        "Objects in the queue",
        "short",
        {"{{part}}": f"sum by (part) ({gauge(f'{_PREFIX}queue_objects')})"},
        "waiting: not answered yet; outbox: of these, with results to send; failed: refused by the "
        "service, or given up.",
    ),
    Panel(
        "Age of the oldest object",
        "s",
        {"oldest": f"max({gauge(f'{_PREFIX}queue_oldest_seconds')})"},
        "Of those that wait for their analysis, or for their results to be sent.",
    ),
    Panel(
        "Size of the queue",
        "bytes",
        {
            "size": f"max({gauge(f'{_PREFIX}queue_bytes')})",
            "limit": f"min({gauge(f'{_PREFIX}queue_limit_bytes')})",
        },
        "At the limit objects are refused.",
    ),
]
_OBJECTS = [
    Panel(
        "Received",
        "cps",
        {"{{receipt}}": rate(f"{_PREFIX}objects_received_total", by="receipt")},
        "own: our own results, which are refused; full, failed: refused for the time being.",
        "stack",
    ),
    Panel(
        "Answered, refused, given up",
        "cps",
        {"{{result}}": rate(f"{_PREFIX}objects_processed_total", by="result")},
        "refused: by the service, as no chest radiograph; retried: a try that is repeated.",
        "stack",
    ),
    Panel(
        "Deliveries",
        "cps",
        {"{{delivery}}": rate(f"{_PREFIX}deliveries_total", by="delivery")},
        "Tries to send the results of an object to the destination.",
        "stack",
    ),
    Panel(
        "Rejected associations",
        "cps",
        {"rejected": rate(f"{_PREFIX}associations_rejected_total")},
        "For an AE title that is not one of its address.",
    ),
]
