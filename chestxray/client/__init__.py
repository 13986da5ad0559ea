"""Client of the service's HTTP API; needs httpx alone.

    from chestxray.client import Client

    with Client("http://localhost:3000") as client:
        print(client.analyze("chest.png").prediction.label)

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
    "Prediction",
    "Problem",
    "ProblemError",
    "Retries",
    "Timing",
    "UnexpectedAnswer",
]
