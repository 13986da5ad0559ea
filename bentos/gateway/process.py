"""What the gateway's process runs: decoders, clients of the models, the public app, histories."""

import asyncio
import logging

import numpy as np

from bentos.covid_classifier.service import ROW as CLASSIFIER_ROW
from bentos.decoding.decoders import Decoders
from bentos.gateway.app import ADMITTED, create_public_app
from bentos.gateway.pipeline import Pipeline, PooledModels, Served
from bentos.history.history import History
from bentos.history_metrics import create_history_series, get_history_metrics
from bentos.http.bentoml_server import prepare_process, serve_publicly
from bentos.http.drain import Drain
from bentos.inference.client import ModelClient
from bentos.inference.discovery import Discovery
from bentos.inference.pool import ModelPool
from bentos.metric_labels import ModelName, ProcessName
from bentos.metrics import create_gateway_series, get_metrics
from bentos.process import heartbeat
from bentos.settings import LONGEST_REQUEST_SECONDS, get_settings
from bentos.xray_filter.service import ROW as FILTER_ROW
from chestxray import checkpoints

logger = logging.getLogger(__name__)


class GatewayProcess:
    """The work behind the public service."""

    def __init__(self, filter_url: str, classifier_url: str) -> None:
        """Takes the addresses of the models' processes. Raises CheckpointError."""
        settings = self._settings = get_settings()
        served = [
            Served(checkpoints.read_card(path), checkpoints.verified_digest(path, digest))
            for path, digest in settings.checkpoints
        ]
        filter_digest, self._classifier_digest = (each.digest for each in served)
        self._filter = self._pool(filter_url, ModelName.XRAY_FILTER, FILTER_ROW, filter_digest)
        self._classifier = self._pool(
            classifier_url,
            ModelName.COVID_CLASSIFIER,
            CLASSIFIER_ROW,
            self._classifier_digest,
        )
        decoders = Decoders(
            settings.limits, settings.process_limits, processes=settings.decode_processes
        )
        models = PooledModels(self._filter, self._classifier, settings.max_model_batch)
        self._pipeline = Pipeline(models, served, decoders=decoders)
        self._drain = Drain(
            delay=settings.drain_delay_seconds, timeout=settings.drain_timeout_seconds
        )
        self._history = History(settings) if settings.keeps else None
        self.app, self._jobs, self._quotas, self._webhooks = create_public_app(
            self._pipeline, settings, self._drain, self.is_ready, self._history
        )

    async def start(self) -> None:
        """Opens the port at once; readiness follows when the models are warm."""
        prepare_process(ProcessName.GATEWAY)
        create_gateway_series(get_metrics(), ADMITTED)
        serve_publicly(self.app, self._drain, self._settings)
        self._heartbeat = asyncio.create_task(heartbeat.beat())
        self._background = [asyncio.create_task(self._warm_up())]
        if self._history:
            most = self._settings.max_kept_bytes
            create_history_series(get_history_metrics(), max_bytes=most)
            self._background.append(asyncio.create_task(self._history.run()))
        if self._jobs:
            self._background.append(asyncio.create_task(self._jobs.run()))
        if self._webhooks:
            self._background.append(asyncio.create_task(self._webhooks.run()))

    async def stop(self) -> None:
        """Ends the background work and closes the connections to the models."""
        self._heartbeat.cancel()
        for task in self._background:
            task.cancel()
        await asyncio.wait(self._background)
        await asyncio.gather(self._filter.local.close(), self._classifier.local.close())
        await self._quotas.close()
        if self._history:
            await self._history.close()

    async def is_ready(self) -> bool:
        """Whether both models answer, and the service is not being stopped."""
        if self._drain.begun:
            return False
        return all(await asyncio.gather(self._filter.ready(), self._classifier.ready()))

    def _pool(self, url: str, name: ModelName, row: "np.dtype[np.void]", digest: str) -> ModelPool:
        local = ModelClient(
            url,
            row=row,
            digest=digest,
            seconds=LONGEST_REQUEST_SECONDS,
            settings=self._settings,
        )
        return ModelPool(local, model=name)

    async def _warm_up(self) -> None:
        """Warms up decoders and models, then looks for classifier pods until the end."""
        most = self._settings.max_images_in_flight
        try:
            await self._pipeline.warm_up()
            await self._filter.warm_up(most=most)
            await self._classifier.warm_up(most=most)
        except Exception:
            logger.exception("the warm-up failed; the service will not become ready")
            return
        if self._settings.classifier_pods:
            await Discovery(
                self._classifier,
                row=CLASSIFIER_ROW,
                digest=self._classifier_digest,
                settings=self._settings,
            ).run()
