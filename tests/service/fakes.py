"""Fake models that answer at once, late, wrongly or not at all, and the app over them."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bentos.covid_classifier.service import ROW as CLASSIFIER_ROW
from bentos.decoding.decoders import Decoders
from bentos.gateway.app import PublicApp, create_public_app
from bentos.gateway.pipeline import Pipeline, Served
from bentos.history.history import History
from bentos.http.drain import Drain
from bentos.http.middleware import RequestMiddleware
from bentos.inference.wire import Rows
from bentos.settings import Settings
from bentos.xray_filter.service import ROW as FILTER_ROW
from chestxray import checkpoints
from chestxray.engines import Images
from chestxray.labels import VERDICTS, Verdict
from chestxray.results import DISCLAIMER, Problem
from tests.phantoms import encode

DARK = encode(np.tile(np.arange(300) * 2 // 5, (300, 1)).astype(np.uint8), "PNG")
BRIGHT = encode(
    np.where(np.arange(300 * 300) < 9000, 60, 250).astype(np.uint8).reshape(300, 300), "PNG"
)


class FakeModels:
    """Fake models that classify dark images as frontal chests and bright ones as hands."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.probabilities: tuple[float, float, float] = (0.25, 0.25, 0.5)
        self.fails_on: Callable[[np.ndarray], bool] = lambda image: False

    async def judge(self, images: Images) -> Rows:
        await self._enter("judge", images)
        rows = np.zeros(len(images), FILTER_ROW)
        bright = images.mean(axis=(1, 2, 3)) > 200
        rows["probabilities"][~bright, VERDICTS.index(Verdict.FRONTAL_CHEST)] = 1
        rows["probabilities"][bright, VERDICTS.index(Verdict.OTHER_XRAY)] = 1
        rows["ok"] = [not self.fails_on(image) for image in images]
        return rows

    async def classify(self, images: Images) -> Rows:
        await self._enter("classify", images)
        rows = np.zeros(len(images), CLASSIFIER_ROW)
        rows["probabilities"] = self.probabilities
        rows["cam"][:, 2, 3, 4] = 7
        rows["ok"] = True
        return rows

    def remote_slots(self) -> int:
        return 0

    async def _enter(self, name: str, images: Images) -> None:
        self.calls.append((name, len(images)))
        if self.gate:
            await self.gate.wait()
        if self.failure:
            raise self.failure


def app_over(
    models: FakeModels, weights: Sequence[Path], settings: Settings, decoders: Decoders
) -> RequestMiddleware:
    return public_app_over(models, weights, settings, decoders, None).app


def public_app_over(
    models: FakeModels,
    weights: Sequence[Path],
    settings: Settings,
    decoders: Decoders,
    history: History | None,
) -> PublicApp:
    served = [Served(checkpoints.read_card(p), checkpoints.digest(p)) for p in weights]
    thresholds = {Verdict.FRONTAL_CHEST.value: 0.5}
    first = Served(served[0].card.model_copy(update={"thresholds": thresholds}), served[0].digest)
    pipeline = Pipeline(models, [first, served[1]], decoders=decoders)
    drain = Drain(delay=0, timeout=1)
    return create_public_app(pipeline, settings, drain, ready, history)


async def ready() -> bool:
    """Default result of the readiness check."""
    return True


def client_of(app: RequestMiddleware) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def check_problem(answer: httpx.Response, status: int, code: str) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.text)
    assert (problem.status, problem.code) == (status, code)
    assert problem.request_id == answer.headers["x-request-id"]
    assert problem.disclaimer == DISCLAIMER
    return problem


def form(*images: bytes, name: str = "image") -> dict[str, Any]:
    return {"files": [(name, ("x.png", image, "image/png")) for image in images]}
