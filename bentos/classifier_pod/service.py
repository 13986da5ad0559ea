"""ClassifierPod: the way into a pod that only classifies, for the gateways of other pods."""

from functools import cache

import bentoml
from starlette.types import ASGIApp

from bentos.classifier_pod.app import create_app
from bentos.covid_classifier.service import CovidClassifier
from bentos.http.bentoml_server import PUBLIC_OPTIONS, PublicService, drain
from bentos.http.middleware import RequestMiddleware
from bentos.inference import wire
from bentos.inference.model import Rows
from bentos.inference.runners import RemoteRunner, classifier
from bentos.settings import get_settings
from chestxray import checkpoints
from chestxray.engines import Images


@cache
def _classifier() -> RemoteRunner:
    """The runner of this process; it exists once the service does."""
    service = bentoml.get_current_service()
    return classifier(service.covid_classifier, largest=get_settings().max_model_batch)


async def _classify(images: Images) -> Rows:
    return await _classifier()(images)


def _build() -> ASGIApp:
    settings = get_settings()
    digest = checkpoints.verified_digest(settings.classifier_checkpoint, settings.classifier_digest)
    return create_app(_classify, digest, settings).__call__


_app = _build()


@bentoml.service(**PUBLIC_OPTIONS)
@bentoml.asgi_app(_app, path="/")
class ClassifierPod(PublicService):
    """Gathers what several gateways send into the batches of one runner."""

    covid_classifier = bentoml.depends(CovidClassifier)

    def middleware(self) -> RequestMiddleware:
        return RequestMiddleware(_app, drain(), self.__is_ready__, paths=(wire.PATH,))

    async def warm_up(self) -> None:
        await _classifier().warm_up()

    async def ready(self) -> bool:
        return await _classifier().ready()
