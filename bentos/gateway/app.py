"""The public surface: one app from its routes and its one way of answering errors."""

from functools import cache, partial

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline

from bentos.gateway import analyses, document, page, problems
from bentos.gateway.admission import Admission
from bentos.gateway.edge import METRICS
from bentos.gateway.html_policy import HtmlPolicy
from bentos.gateway.pipeline import Pipeline
from bentos.metrics import exposition
from bentos.settings import Settings
from chestxray.checkpoints import Reference
from chestxray.results import DISCLAIMER, Model, Models, Projection


def create_app(pipeline: Pipeline, admission: Admission, settings: Settings) -> FastAPI:
    """Builds the app over a pipeline, whose runners may be fakes."""
    app = FastAPIOffline(
        title="chestxray",
        version=pipeline.covid_classifier.card.version,
        description=f"Reads frontal chest X-rays. **{DISCLAIMER}**",
        redirect_slashes=False,  # a redirect names a scheme and a host, which a proxy has changed
    )
    problems.install(app)
    app.include_router(analyses.create_router(pipeline, admission, settings))
    app.include_router(page.create_router(settings))

    # Neither changes while the service runs, and to write one takes as long as ten requests.
    models_json = cache(partial(_models, pipeline))
    projection_json = cache(partial(_projection, pipeline))

    @app.get("/v1/models", response_model=Models, responses=problems.responses(500))
    async def models() -> Response:
        """Says what is served and how well it did when it was measured."""
        return Response(models_json(), media_type="application/json")

    @app.get("/v1/projection", response_model=Projection, responses=problems.responses(500))
    async def projection() -> Response:
        """Gives the reference embeddings in 3-D, with their classes, for a projector."""
        return Response(projection_json(), media_type="application/json")

    @app.get(METRICS, include_in_schema=False)
    def metrics() -> Response:
        """Prometheus; BentoML's own metrics would have a label for every path (trap 18)."""
        text, media_type = exposition()
        return Response(text, media_type=media_type)

    app.add_middleware(HtmlPolicy, frame_ancestors=settings.frame_ancestors)
    document.complete(app, settings)
    return app


def _models(pipeline: Pipeline) -> str:
    served = (pipeline.xray_filter, pipeline.covid_classifier)
    shown = set(Model.model_fields) - {"digest"}
    models = [Model(digest=s.digest, **s.card.model_dump(include=shown)) for s in served]
    return Models(models=models).model_dump_json()


def _projection(pipeline: Pipeline) -> str:
    served = pipeline.covid_classifier
    reference = served.card.reference or Reference(variance=(), labels=(), points=())
    return Projection(model=served.digest, **reference.model_dump()).model_dump_json()
