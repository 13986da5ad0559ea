"""Routes of webhooks: URLs to which the ends of a caller's jobs are sent."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from bentos.audit.trail import Event, Outcome
from bentos.callers.caller import Caller, Scope
from bentos.gateway import examples, json_bodies, openapi
from bentos.gateway.keeping import Keeping, translated
from bentos.http.negotiation import JSON, acceptable
from bentos.http.prefix import prefix
from bentos.http.problems import RequestProblem
from bentos.settings import Settings
from bentos.webhooks import wire
from bentos.webhooks.addresses import RefusedUrl, Target
from bentos.webhooks.endpoints import Endpoint, TooManyWebhooks
from bentos.webhooks.outbox import JOB_FINISHED
from bentos.webhooks.webhooks import Webhooks

WEBHOOKS = "/v1/webhooks"
_ONE = f"{WEBHOOKS}/{{id:uuid}}"
_MOST_DELIVERIES = 100

Identifier = Annotated[
    UUID, Path(alias="id", description="`id` of the webhook", examples=[examples.ID])
]


class _Access:
    """Who may see what; its methods are dependencies of the routes."""

    def __init__(self, webhooks: Webhooks, keeping: Keeping) -> None:
        self._webhooks, self._keeping = webhooks, keeping

    async def caller(self, request: Request) -> Caller:
        """Returns a caller who may have webhooks. Raises RequestProblem."""
        caller = await self._keeping.caller(request, Scope.HISTORY)
        if caller.is_visitor:
            detail = "visitors have no webhooks; send an API key as Authorization: Bearer"
            raise RequestProblem(HTTPStatus.FORBIDDEN, "not-for-visitors", detail)
        return caller

    async def found(self, request: Request, identifier: Identifier) -> Endpoint:
        """Returns one of the caller's webhooks. Raises RequestProblem."""
        caller = await self.caller(request)
        with translated():
            endpoint = await self._webhooks.endpoints.get(caller.owner, identifier.hex)
        if endpoint is None:
            raise _no_such_webhook()
        return endpoint

    def note(self, event: Event, endpoint: Endpoint, *, found: bool = True) -> None:
        """Adds a line to the audit trail; no URL is in it."""
        outcome = Outcome.SUCCESS if found else Outcome.NOT_FOUND
        trail = self._keeping.history.trail
        trail.record(event, endpoint.owner, outcome=outcome, webhook=endpoint.id)


def create_router(webhooks: Webhooks, keeping: Keeping, settings: Settings) -> APIRouter:
    """Builds the routes."""
    router, access = APIRouter(tags=["webhooks"]), _Access(webhooks, keeping)
    _add_making(router, access, webhooks, settings)
    _add_reading(router, access, webhooks)
    _add_changing(router, access, webhooks)
    return router


def _add_making(router: APIRouter, access: _Access, webhooks: Webhooks, settings: Settings) -> None:
    @router.post(
        WEBHOOKS, response_model=wire.IssuedWebhook, status_code=HTTPStatus.CREATED, **_CREATE
    )
    async def create_webhook(
        request: Request, response: Response, caller: Annotated[Caller, Depends(access.caller)]
    ) -> wire.IssuedWebhook:
        """Makes a webhook: `job.finished` is sent to the URL when one of the caller's jobs has
        ended, signed by the Standard Webhooks convention. It has the id of the job, its state and
        its counts; results are not sent. The secret is shown only in this response."""
        if webhooks.deliverer is None:
            detail = "this service sends no webhooks; its operator has not turned them on"
            raise RequestProblem(HTTPStatus.FORBIDDEN, "webhooks-disabled", detail)
        wanted = await json_bodies.read(
            request, wire.NewWebhook, pause=settings.body_timeout_seconds
        )
        try:
            Target.parse(wanted.url).check(webhooks.networks)
            with translated():
                endpoint, secret = await webhooks.endpoints.create(caller.owner, wanted.url)
        except RefusedUrl as error:
            code, status = "webhook-url-refused", HTTPStatus.BAD_REQUEST
            raise RequestProblem(status, code, str(error)) from error
        except TooManyWebhooks as error:
            code, status = "too-many-webhooks", HTTPStatus.FORBIDDEN
            raise RequestProblem(status, code, str(error)) from error
        access.note(Event.WEBHOOK_CREATED, endpoint)
        response.headers["Location"] = f"{prefix.get()}{WEBHOOKS}/{endpoint.id}"
        return _issued(endpoint, secret)


def _add_reading(router: APIRouter, access: _Access, webhooks: Webhooks) -> None:
    @router.get(WEBHOOKS, response_model=wire.Webhooks, **_LIST)
    async def list_webhooks(caller: Annotated[Caller, Depends(access.caller)]) -> wire.Webhooks:
        """Lists the caller's webhooks."""
        with translated():
            found = await webhooks.endpoints.list(caller.owner)
        return wire.Webhooks(webhooks=[_shown(each) for each in found])

    @router.get(_ONE, response_model=wire.Webhook, **_GET)
    async def get_webhook(
        endpoint: Annotated[Endpoint, Depends(access.found)],
    ) -> wire.Webhook:
        """Returns a webhook, without its secret."""
        return _shown(endpoint)

    @router.get(f"{_ONE}/deliveries", response_model=wire.WebhookDeliveries, **_DELIVERIES)
    async def list_webhook_deliveries(
        endpoint: Annotated[Endpoint, Depends(access.found)],
    ) -> wire.WebhookDeliveries:
        """Lists the newest messages to a webhook, with what became of each. A message is deleted
        with its job."""
        with translated():
            found = await webhooks.deliveries.newest(endpoint, limit=_MOST_DELIVERIES)
        deliveries = [wire.WebhookDelivery.model_validate(vars(each)) for each in found]
        return wire.WebhookDeliveries(deliveries=deliveries)


def _add_changing(router: APIRouter, access: _Access, webhooks: Webhooks) -> None:
    Found = Annotated[Endpoint, Depends(access.found)]

    @router.post(f"{_ONE}/rotate-secret", response_model=wire.IssuedWebhook, **_ROTATE)
    async def rotate_webhook_secret(endpoint: Found) -> wire.IssuedWebhook:
        """Gives a webhook a new secret, shown only in this response. For a day deliveries have a
        signature by each of both secrets."""
        with translated():
            rotated = await webhooks.endpoints.rotate(endpoint)
        if rotated is None:
            detail = "the webhook was changed or deleted at this moment; try again"
            code, headers = "request-in-progress", {"Retry-After": "1"}
            raise RequestProblem(HTTPStatus.CONFLICT, code, detail, headers=headers)
        access.note(Event.WEBHOOK_ROTATED, endpoint)
        return _issued(*rotated)

    @router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT, response_class=Response, **_DELETE)
    async def delete_webhook(endpoint: Found) -> None:
        """Deletes a webhook; messages that wait for it are not sent any more."""
        with translated():
            deleted = await webhooks.endpoints.delete(endpoint)
        access.note(Event.WEBHOOK_DELETED, endpoint, found=deleted)
        if not deleted:
            raise _no_such_webhook()


def _shown(endpoint: Endpoint) -> wire.Webhook:
    return wire.Webhook.model_validate(_values(endpoint))


def _issued(endpoint: Endpoint, secret: str) -> wire.IssuedWebhook:
    return wire.IssuedWebhook.model_validate(_values(endpoint) | {"secret": secret})


def _values(endpoint: Endpoint) -> dict[str, Any]:
    values = {name: getattr(endpoint, name) for name in _SHOWN}
    return values | {
        "events": [JOB_FINISHED],
        "previous_secret_until": endpoint.previous_until,
    }


def _no_such_webhook() -> RequestProblem:
    detail = "this caller has no such webhook: it never had, or deleted it"
    return RequestProblem(HTTPStatus.NOT_FOUND, "no-such-webhook", detail)


_SHOWN = ("id", "url", "created_at", "failing_since", "disabled")
_JSON: dict[str, Any] = {"dependencies": [Depends(acceptable(JSON))]}
_PROBLEMS = openapi.problems(400, 401, 403, 404, 406, 500, 503)
_CREATE: dict[str, Any] = _JSON | {
    "summary": "Create a webhook",
    "openapi_extra": openapi.json_body(wire.NewWebhook, {"url": examples.WEBHOOK_URL}),
    "responses": openapi.created("The webhook, with its secret", schema="IssuedWebhook")
    | openapi.problems(400, 401, 403, 406, 408, 413, 415, 500, 503),
}
_LIST: dict[str, Any] = _JSON | {
    "summary": "List webhooks",
    "responses": openapi.answer("The webhooks", "Vary") | openapi.problems(401, 403, 406, 500, 503),
}
_GET: dict[str, Any] = _JSON | {
    "summary": "Get a webhook",
    "responses": openapi.answer("The webhook", "Vary") | _PROBLEMS,
}
_DELIVERIES: dict[str, Any] = _JSON | {
    "summary": "List the messages to a webhook",
    "responses": openapi.answer("The messages", "Vary") | _PROBLEMS,
}
_ROTATE: dict[str, Any] = _JSON | {
    "summary": "Rotate the secret of a webhook",
    "responses": openapi.answer("The webhook, with its new secret", "Vary")
    | openapi.problems(400, 401, 403, 404, 406, 409, 500, 503),
}
_DELETE: dict[str, Any] = {
    "summary": "Delete a webhook",
    "responses": openapi.problems(400, 401, 403, 404, 500, 503),
}
