"""Gateway: the entry service. It decodes, asks both models, and answers; it loads no model."""

import asyncio
from functools import cache

import bentoml
from starlette.types import ASGIApp

from bentos.covid_classifier.service import CovidClassifier
from bentos.gateway.admission import Admission
from bentos.gateway.app import create_app
from bentos.gateway.edge import Edge
from bentos.gateway.front import FRONT_OPTIONS, Front, drain
from bentos.gateway.pipeline import Pipeline, Served
from bentos.gateway.pods import Pods
from bentos.gateway.runners import RemoteRunners
from bentos.settings import get_settings
from bentos.xray_filter.service import XRayFilter
from chestxray import checkpoints


@cache
def remote_runners() -> RemoteRunners:
    """The runners of this process; they exist once the service does."""
    service = bentoml.get_current_service()
    return RemoteRunners(
        service.xray_filter, service.covid_classifier, largest=get_settings().max_model_batch
    )


@cache
def _admission() -> Admission:
    settings = get_settings()
    return Admission(
        max_images=settings.max_images_in_flight,
        max_bytes=settings.max_bytes_in_flight,
        queue_seconds=settings.queue_seconds,
        smallest=settings.max_images_per_batch,
    )


@cache
def _pipeline() -> Pipeline:
    settings = get_settings()
    served = [
        Served(checkpoints.read_card(path), checkpoints.verified_digest(path, digest))
        for path, digest in settings.checkpoints
    ]
    return Pipeline(
        remote_runners, served, limits=settings.limits, decode_threads=settings.decode_threads
    )


# A Starlette app itself would be asked only for paths that it has, and BentoML answer the rest.
_app: ASGIApp = create_app(_pipeline(), _admission(), get_settings()).__call__


@bentoml.service(**FRONT_OPTIONS)
@bentoml.asgi_app(_app, path="/")
class Gateway(Front):
    """One process in front; the runners behind it are processes of their own."""

    xray_filter = bentoml.depends(XRayFilter)
    covid_classifier = bentoml.depends(CovidClassifier)

    def edge(self) -> Edge:
        networks = get_settings().trusted_proxies
        return Edge(_app, drain(), self.__is_ready__, _admission().check, networks)

    async def warm_up(self) -> None:
        await remote_runners().warm_up()
        settings = get_settings()
        if settings.classifier_pods:
            digest = _pipeline().covid_classifier.digest
            pods = Pods(remote_runners().classify.hops, digest=digest, settings=settings)
            self._pods = asyncio.create_task(pods.watch())

    async def ready(self) -> bool:
        return await remote_runners().ready()
