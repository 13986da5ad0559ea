"""Gateway: the entry service. It decodes, asks both models, and answers; it loads no model."""

import asyncio
import gc
import logging
from functools import cache

import bentoml
from bentoml.exceptions import BentoMLException
from starlette.types import ASGIApp

from bentos import heartbeat
from bentos.covid_classifier.service import CovidClassifier
from bentos.gateway.admission import Admission
from bentos.gateway.app import create_app
from bentos.gateway.connections import guard, running_server
from bentos.gateway.drain import Drain, Signals
from bentos.gateway.edge import Edge
from bentos.gateway.pipeline import Pipeline, Served
from bentos.gateway.runners import RemoteRunners
from bentos.runner import BENTOML_TIMEOUT_SECONDS
from bentos.settings import get_settings
from bentos.xray_filter.service import XRayFilter
from chestxray import checkpoints

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.02


@cache
def remote_runners() -> RemoteRunners:
    """The runners of this process; they exist once the service does."""
    service = bentoml.get_current_service()
    return RemoteRunners(
        service.xray_filter, service.covid_classifier, largest=get_settings().max_model_batch
    )


@cache
def _drain() -> Drain:
    settings = get_settings()
    return Drain(delay=settings.drain_delay_seconds, timeout=settings.drain_timeout_seconds)


@cache
def _admission() -> Admission:
    settings = get_settings()
    return Admission(
        max_images=settings.max_images_in_flight,
        max_bytes=settings.max_bytes_in_flight,
        queue_seconds=settings.queue_seconds,
        smallest=settings.max_images_per_batch,
    )


def _build() -> ASGIApp:
    settings = get_settings()
    served = [
        Served(checkpoints.read_card(path), checkpoints.verified_digest(path, digest))
        for path, digest in settings.checkpoints
    ]
    pipeline = Pipeline(
        remote_runners,
        served,
        limits=settings.limits,
        decode_threads=settings.decode_threads,
    )
    # A Starlette app itself would be asked only for paths that it has, and BentoML answer the rest.
    return create_app(pipeline, _admission(), settings).__call__


_app = _build()


# Its access log would have callers' addresses and paths, its metrics a label for every path
# (trap 18); the edge has both, by route.
@bentoml.service(
    workers=1,
    traffic={"timeout": BENTOML_TIMEOUT_SECONDS},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(_app, path="/")
class Gateway:
    """One process in front; the runners behind it are processes of their own."""

    xray_filter = bentoml.depends(XRayFilter)
    covid_classifier = bentoml.depends(CovidClassifier)

    @bentoml.on_startup
    async def take_over_the_server(self) -> None:
        """Bounds what a connection may do, makes signals drain before they stop, and logs."""
        logging.getLogger("bentos").setLevel(logging.INFO)  # BentoML shows others' warnings alone
        if server := running_server():
            config = server.config
            if not config.loaded:
                config.load()
            guard(config, get_settings())
            networks = get_settings().trusted_proxies
            config.loaded_app = Edge(config.loaded_app, _app, _drain(), _admission(), networks)
            Signals(_drain(), server).install()

    @bentoml.on_startup
    async def start_warm_up(self) -> None:
        """Warms the runners in the background: the port opens, readiness follows."""
        gc.collect()
        gc.freeze()  # what was imported stays; looking through all of it stops everyone for long
        self._heartbeat = asyncio.create_task(heartbeat.beat())
        self._warm_up = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        # BentoML connects the dependencies only after the startup hooks, and says when so.
        while not self._connected():
            await asyncio.sleep(_POLL_SECONDS)
        try:
            await remote_runners().warm_up()
        except Exception:
            logger.exception("the warm-up failed; the service will not become ready")

    def _connected(self) -> bool:
        try:
            return bentoml.get_current_service() is self
        except BentoMLException:
            return False

    async def __is_ready__(self) -> bool:
        return not _drain().begun and self._connected() and await remote_runners().ready()
