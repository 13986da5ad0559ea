"""Gateway: the entry service. It decodes, asks both models, and answers; it loads no model.

The models' processes import this file too, to find their own services. What only a gateway needs
is in process.py, which only a gateway imports.
"""

import bentoml
from starlette.types import Receive, Scope, Send

from bentos.covid_classifier.service import CovidClassifier
from bentos.http.bentoml_server import SERVICE_OPTIONS, url_of
from bentos.xray_filter.service import XRayFilter


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await bentoml.get_current_service().process.app(scope, receive, send)


@bentoml.service(**SERVICE_OPTIONS)
@bentoml.asgi_app(_app, path="/")
class Gateway:
    """The public service; each model behind it is a process of its own."""

    xray_filter = bentoml.depends(XRayFilter)
    covid_classifier = bentoml.depends(CovidClassifier)

    def __init__(self) -> None:
        from bentos.gateway.process import GatewayProcess

        self.process = GatewayProcess(url_of(XRayFilter), url_of(CovidClassifier))

    @bentoml.on_startup
    async def start(self) -> None:
        """Opens the port at once; readiness follows when the models are warm."""
        await self.process.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Ends the background work and closes the connections to the models."""
        await self.process.stop()

    async def __is_ready__(self) -> bool:
        return await self.process.is_ready()
