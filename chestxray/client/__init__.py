"""Client of the service's HTTP API; needs httpx alone.

    from chestxray.client import Client

    with Client("http://localhost:3000") as client:
        print(client.analyze("chest.png").prediction.label)

        print(client.analyze("chest.png", keep=True).expires_at)
        job = client.jobs.submit(Path("films").iterdir())
        client.jobs.wait(job.id, timeout=3600, progress=lambda status: print(status.done))
        for item in client.jobs.results(job.id):
            print(item.position, item.result)

`AsyncClient` has the same methods as coroutines. Both try again what the service asks to try again.
"""

from chestxray.client.attempts import Retries
from chestxray.client.awaitable import AsyncClient
from chestxray.client.blocking import Client
from chestxray.client.calls import Heatmaps
from chestxray.client.errors import (
    ChestXrayError,
    ConnectionFailed,
    DeadlineExceeded,
    ProblemError,
    UnexpectedAnswer,
)
from chestxray.client.images import Image
from chestxray.client.results import (
    Analysis,
    FilterResult,
    Heatmap,
    Input,
    JobItem,
    JobStatus,
    KeptAnalysis,
    Prediction,
    Problem,
    Timing,
)

__all__ = [
    "Analysis",
    "AsyncClient",
    "ChestXrayError",
    "Client",
    "ConnectionFailed",
    "DeadlineExceeded",
    "FilterResult",
    "Heatmap",
    "Heatmaps",
    "Image",
    "Input",
    "JobItem",
    "JobStatus",
    "KeptAnalysis",
    "Prediction",
    "Problem",
    "ProblemError",
    "Retries",
    "Timing",
    "UnexpectedAnswer",
]
