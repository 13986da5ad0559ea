"""What both model services have in common, beside their BentoML API."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
from bentoml.exceptions import InvalidArgument
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bentos import tracing
from bentos.http.bentoml_server import (
    is_entry_service,
    prepare_process,
    serve_privately,
    serve_publicly,
)
from bentos.http.drain import Drain
from bentos.http.middleware import RequestMiddleware
from bentos.http.probes import READY
from bentos.http.problems import RequestProblem, refused
from bentos.inference import wire
from bentos.inference.model import Model
from bentos.inference.server import InferenceServer, create_app
from bentos.metric_labels import ModelName, ModelStage
from bentos.metrics import create_classifier_pod_series, create_model_series, get_metrics
from bentos.process import heartbeat
from bentos.settings import LONGEST_REQUEST_SECONDS, get_settings
from chestxray.checkpoints import Card
from chestxray.engines import Images, Outputs
from chestxray.preprocessing import SIZE


class ModelService:
    """A model behind one batcher, which requests over the wire and over BentoML's API share.

    At a Unix socket, other processes of this service use the wire. At a TCP port with a token, this
    is a classifier pod: it answers the wire, probes and metrics alone. At a TCP port without a
    token it is a plain BentoML service.
    """

    def __init__(
        self,
        architecture: str,
        checkpoint: Path,
        row: "np.dtype[np.void]",
        answer: Callable[[Outputs, Card], Outputs],
        *,
        digest: str,
        stage: ModelStage,
    ) -> None:
        """Loads the checkpoint and warms it up. Raises CheckpointError."""
        settings = get_settings()
        model = Model.load(architecture, checkpoint, row, answer, wanted_digest=digest)
        self._name = ModelName(model.card.name)
        create_model_series(get_metrics(), self._name, stage)
        self._drain = Drain(
            delay=settings.drain_delay_seconds, timeout=settings.drain_timeout_seconds
        )
        self._server = InferenceServer(model, stage=stage, settings=settings)

    async def infer(self, images: Images) -> list[dict[str, Any]]:
        """Answers BentoML's own API: the fields of one row per image, as plain lists.

        Raises InvalidArgument for other images than uint8 (B, 1, SIZE, SIZE).
        """
        if images.shape[1:] != (1, SIZE, SIZE) or images.dtype != np.uint8:
            raise InvalidArgument(f"send uint8 (B, 1, {SIZE}, {SIZE}), the preprocessed images")
        rows = await self._server.infer(images)
        return [{name: row[name].tolist() for name in rows.dtype.names or ()} for row in rows]

    @bentoml.on_startup
    async def start(self) -> None:
        """Puts the wire in front of BentoML's app."""
        settings = get_settings()
        prepare_process(self._name)
        self._heartbeat = asyncio.create_task(heartbeat.beat(self._is_alive))
        if not is_entry_service():
            serve_privately(lambda bentoml_app: _Private(self._server, self._is_alive, bentoml_app))
        elif settings.pod_token.get_secret_value():
            create_classifier_pod_series(get_metrics(), [wire.PATH])
            pod = RequestMiddleware(
                create_app(self._server), self._drain, self._is_ready, paths=(wire.PATH,)
            )
            serve_publicly(pod, self._drain, settings)

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Sends the last spans."""
        await asyncio.to_thread(tracing.flush)

    def _is_alive(self) -> bool:
        """Whether the batch in flight can still be of use; the supervisor kills a hung model."""
        return self._server.batcher.busy_seconds < LONGEST_REQUEST_SECONDS

    async def _is_ready(self) -> bool:
        return self._is_alive() and not self._drain.begun


class _Private:
    """The wire first, BentoML's app for all other paths."""

    def __init__(
        self, server: InferenceServer, is_alive: Callable[[], bool], bentoml_app: ASGIApp
    ) -> None:
        self._server, self._is_alive, self._bentoml_app = server, is_alive, bentoml_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (wire.PATH, READY):
            await self._bentoml_app(scope, receive, send)
            return
        if scope["path"] == READY:
            status = HTTPStatus.OK if self._is_alive() else HTTPStatus.SERVICE_UNAVAILABLE
            await Response(status_code=status)(scope, receive, send)
            return
        try:
            await self._server(scope, receive, send)
        except RequestProblem as problem:
            await refused(problem, "-")(scope, receive, send)
        except ClientDisconnect:
            pass
