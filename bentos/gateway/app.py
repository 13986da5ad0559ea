"""The FastAPI app: all routes and the error handling."""

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any, NamedTuple

from fastapi import FastAPI, Response

from bentos.admission.control import Admission
from bentos.admission.ledger import Ledger
from bentos.admission.pacing import Pacing
from bentos.callers.quotas import Quotas
from bentos.gateway import (
    analyses,
    caller,
    documentation,
    inference_protocol,
    kept_analyses,
    openapi,
    page,
    sign_in,
    stow,
    visitors,
)
from bentos.gateway import jobs as jobs_routes
from bentos.gateway import keys as keys_routes
from bentos.gateway import webhooks as webhooks_routes
from bentos.gateway.keeping import Keeping
from bentos.gateway.pipeline import Pipeline
from bentos.history.history import History
from bentos.http import problems
from bentos.http.drain import Drain
from bentos.http.metrics_endpoint import metrics
from bentos.http.middleware import METRICS, RequestMiddleware
from bentos.jobs.jobs import Jobs
from bentos.settings import Settings
from bentos.webhooks.webhooks import Webhooks
from chestxray.checkpoints import Reference
from chestxray.results import DISCLAIMER, Model, Models, Projection

_DESCRIPTION = f"""Analyses frontal chest X-rays. **{DISCLAIMER}**

Every error is `application/problem+json` (RFC 9457) with a stable `code`; [problems](docs/problems)
explains all codes. Images are only in memory, and only during their analysis, unless the caller
asks to keep one; DICOM objects that are stored by DICOMweb are on the disk until then."""
ADMITTED = (*analyses.PATHS, inference_protocol.INFER)
"""The routes under admission control."""
_SERVICE: dict[str, Any] = {"tags": ["service"], "responses": openapi.problems(500, 503)}


class PublicApp(NamedTuple):
    """What answers at the public port, and what works in the background of it."""

    app: RequestMiddleware
    jobs: Jobs | None
    quotas: Quotas
    webhooks: Webhooks | None


def create_public_app(
    pipeline: Pipeline,
    settings: Settings,
    drain: Drain,
    is_ready: Callable[[], Awaitable[bool]],
    history: History | None = None,
) -> PublicApp:
    """Builds all that answers at the public port: the app, admission control and middleware."""
    quotas = Quotas(settings)
    ledger = Ledger()
    admission = Admission(
        max_images=settings.max_images_in_flight,
        max_bytes=settings.max_bytes_in_flight,
        max_queue_seconds=settings.max_queue_seconds,
        ledger=ledger,
    )
    jobs = webhooks = None
    if history:
        jobs = Jobs(history, pipeline, admission, is_stopping=lambda: drain.begun)
        webhooks = Webhooks(history, settings, is_stopping=lambda: drain.begun)
    keeping = Keeping(history, pipeline, settings, quotas)
    middleware = RequestMiddleware(
        create_app(pipeline, admission, settings, is_ready, keeping, jobs, webhooks),
        drain,
        is_ready,
        admission.check,
        settings.trusted_proxies,
        pacing=Pacing(ledger, settings.trusted_proxies),
        root_path=settings.root_path,
        cors_origins=settings.cors_origins,
        paths=ADMITTED,
    )
    return PublicApp(middleware, jobs, quotas, webhooks)


def create_app(
    pipeline: Pipeline,
    admission: Admission,
    settings: Settings,
    is_ready: Callable[[], Awaitable[bool]],
    keeping: Keeping,
    jobs: Jobs | None,
    webhooks: Webhooks | None,
) -> FastAPI:
    """Builds the app."""
    app = FastAPI(
        title="chestxray",
        version=pipeline.covid_classifier.card.version,
        summary="Analyses frontal chest X-rays.",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=openapi.TAGS,
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,  # documentation.py serves it
        redirect_slashes=False,  # behind a proxy, redirects would have the wrong scheme and host
    )
    problems.install(app)
    app.include_router(analyses.create_router(pipeline, admission, settings, keeping))
    if jobs:
        app.include_router(jobs_routes.create_router(jobs, keeping, settings))
        app.include_router(kept_analyses.create_router(pipeline, keeping))
        app.include_router(keys_routes.create_router(keeping, settings))
        app.include_router(visitors.create_router(keeping))
    if webhooks:
        app.include_router(webhooks_routes.create_router(webhooks, keeping, settings))
    app.include_router(
        inference_protocol.create_router(pipeline, admission, settings, is_ready, keeping)
    )
    app.include_router(stow.create_router(pipeline, admission, settings))
    documents = page.install(app, settings, partial(_models, pipeline))
    app.include_router(caller.create_router(keeping, is_offered=settings.signs_in))
    if keeping.is_enabled and (provider := keeping.history.sign_in):
        app.include_router(sign_in.create_router(keeping.history, provider, documents))

    _add_constants(app, pipeline)
    app.get(METRICS, include_in_schema=False)(metrics)
    documentation.install(app, openapi.complete(app, settings), settings)
    return app


def _add_constants(app: FastAPI, pipeline: Pipeline) -> None:
    # Constant while the service runs, and as expensive to serialise as ten requests.
    models_json = cache(lambda: Models(models=_models(pipeline)).model_dump_json())
    projection_json = cache(partial(_projection, pipeline))

    @app.get("/v1/models", summary="List the models", response_model=Models, **_SERVICE)
    async def list_models() -> Response:
        """Returns the deployed models and their evaluation metrics."""
        return Response(models_json(), media_type="application/json")

    @app.get(
        "/v1/projection",
        summary="Get the reference embeddings",
        response_model=Projection,
        **_SERVICE,
    )
    async def get_projection() -> Response:
        """Returns the reference embeddings in 3-D with their classes."""
        return Response(projection_json(), media_type="application/json")


def _models(pipeline: Pipeline) -> list[Model]:
    served = (pipeline.xray_filter, pipeline.covid_classifier)
    shown = set(Model.model_fields) - {"digest"}
    return [Model(digest=s.digest, **s.card.model_dump(include=shown)) for s in served]


def _projection(pipeline: Pipeline) -> str:
    served = pipeline.covid_classifier
    reference = served.card.reference or Reference(variance=(), labels=(), points=())
    return Projection(model=served.digest, **reference.model_dump()).model_dump_json()
