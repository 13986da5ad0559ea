"""Gateway: the entry service. It decodes, asks both models, and answers; it loads no model."""

import asyncio
from functools import cache

import bentoml
from starlette.types import ASGIApp

from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.admission.pacing import Pacing
from bentos.covid_classifier.service import CovidClassifier
from bentos.decoding.decoders import Decoders
from bentos.gateway.app import create_app
from bentos.gateway.pipeline import Pipeline, Served
from bentos.http.bentoml_server import PUBLIC_OPTIONS, PublicService, drain
from bentos.http.middleware import RequestMiddleware
from bentos.inference.discovery import Pods
from bentos.inference.runners import RemoteRunners
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
def _ledger() -> Ledger:
    return Ledger()


@cache
def _admission() -> Admission:
    settings = get_settings()
    return Admission(
        max_images=settings.max_images_in_flight,
        max_bytes=settings.max_bytes_in_flight,
        max_queue_seconds=settings.max_queue_seconds,
        ledger=_ledger(),
    )


@cache
def _pipeline() -> Pipeline:
    settings = get_settings()
    served = [
        Served(checkpoints.read_card(path), checkpoints.verified_digest(path, digest))
        for path, digest in settings.checkpoints
    ]
    decoders = Decoders(settings.limits, settings.wall, processes=settings.decode_processes)
    return Pipeline(remote_runners, served, decoders=decoders)


# A Starlette app itself would be asked only for paths that it has, and BentoML answer the rest.
_app: ASGIApp = create_app(_pipeline(), _admission(), get_settings()).__call__


@bentoml.service(**PUBLIC_OPTIONS)
@bentoml.asgi_app(_app, path="/")
class Gateway(PublicService):
    """One process in front; the runners behind it are processes of their own."""

    xray_filter = bentoml.depends(XRayFilter)
    covid_classifier = bentoml.depends(CovidClassifier)

    def middleware(self) -> RequestMiddleware:
        settings = get_settings()
        return RequestMiddleware(
            _app,
            drain(),
            self.__is_ready__,
            _admission().check,
            settings.trusted_proxies,
            pacing=Pacing(_ledger(), settings.trusted_proxies),
            root_path=settings.root_path,
            cors_origins=settings.cors_origins,
        )

    async def warm_up(self) -> None:
        await _pipeline().warm_up()
        await remote_runners().warm_up()
        settings = get_settings()
        if settings.classifier_pods:
            digest = _pipeline().covid_classifier.digest
            own = remote_runners().classify
            pods = Pods(own.hops, own.ask, digest=digest, settings=settings)
            self._pods = asyncio.create_task(pods.watch())

    async def ready(self) -> bool:
        return await remote_runners().ready()
