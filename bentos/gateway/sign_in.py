"""Routes by which people sign in and out; they exist where a provider is set."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from bentos.audit.trail import Event, Outcome
from bentos.callers import sessions
from bentos.callers.sessions import Session
from bentos.gateway import openapi, sign_in_pages
from bentos.gateway.keeping import translated
from bentos.history.history import History
from bentos.http import same_origin
from bentos.http.problems import RequestProblem
from bentos.page.documents import Documents
from bentos.sign_in import attempt
from bentos.sign_in.errors import ProviderUnavailable, SignInError, SignInFailed, SignInRefused
from bentos.sign_in.sign_in import CALLBACK, SignIn

logger = logging.getLogger(__name__)

_RETRY = {"Retry-After": "10"}
_PROBLEMS: dict[type[SignInError], tuple[HTTPStatus, str]] = {
    ProviderUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "sign-in-unavailable"),
    SignInFailed: (HTTPStatus.BAD_REQUEST, "sign-in-failed"),
    SignInRefused: (HTTPStatus.FORBIDDEN, "sign-in-refused"),
}


class SignedOut(BaseModel):
    """What is left to do after a sign-out."""

    end_session_url: str | None = Field(
        description="Where a browser ends the session at the provider, too, if it has a place"
    )


class _Cookies:
    """Sets and deletes our cookies: for this service alone, and by its public address, whatever
    the Host header says."""

    def __init__(self, sign_in: SignIn) -> None:
        self.public_url = sign_in.settings.public_url
        parts = urlsplit(self.public_url)
        self._secure, self._path = parts.scheme == "https", parts.path
        self._hours = sign_in.settings.oidc_session_hours

    def remember(self, response: Response, cookie: str) -> None:
        """Sets the session. Strict: the page itself needs none, and its requests have it."""
        self._set(response, sessions.COOKIE, cookie, self._hours * 3600, "/", "strict")

    def forget(self, response: Response) -> None:
        """Deletes the session."""
        self._set(response, sessions.COOKIE, "", 0, "/", "strict")

    def attempt(self, response: Response, cookie: str) -> None:
        """Sets, or deletes, what has to come back. Lax: the provider's page leads back to us."""
        seconds = attempt.SECONDS if cookie else 0
        self._set(response, attempt.COOKIE, cookie, seconds, CALLBACK, "lax")

    def _set(
        self, response: Response, name: str, value: str, seconds: int, path: str, site: Any
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=f"{self._path}{path}",
            secure=self._secure,
            httponly=True,
            samesite=site,
        )


def create_router(history: History, sign_in: SignIn, documents: Documents) -> APIRouter:
    """Builds the routes."""
    router, cookies = APIRouter(tags=["sign-in"]), _Cookies(sign_in)
    _add_sign_in(router, history, sign_in, cookies, documents)
    _add_sign_out(router, history, sign_in, cookies)
    return router


def _add_sign_in(
    router: APIRouter, history: History, sign_in: SignIn, cookies: _Cookies, documents: Documents
) -> None:
    @router.get("/sign-in", response_class=RedirectResponse, **_SIGN_IN)
    async def begin_sign_in(
        request: Request,
        place: Annotated[
            str, Query(alias="return", description="Where to go afterwards: a path of this service")
        ] = "/",
    ) -> Response:
        """Sends a browser to the provider, where a person signs in."""
        async with _answered(request, history, cookies, documents) as answers:
            address, cookie = await sign_in.begin(place)
            answers.append(_redirect(address))
            cookies.attempt(answers[0], cookie)
        return answers[0]

    @router.get(CALLBACK, response_class=RedirectResponse, **_CALLBACK)
    async def finish_sign_in(request: Request) -> Response:
        """Takes the answer of the provider, which a browser brings."""
        async with _answered(request, history, cookies, documents) as answers:
            session, cookie, place = await sign_in.finish(
                request.query_params, request.cookies.get(attempt.COOKIE, "")
            )
            history.trail.record(Event.SIGNED_IN, session.caller.owner)
            answers.append(_redirect(f"{cookies.public_url}{place}"))
            cookies.remember(answers[0], cookie)
        cookies.attempt(answers[0], "")
        return answers[0]


def _add_sign_out(router: APIRouter, history: History, sign_in: SignIn, cookies: _Cookies) -> None:
    @router.post("/sign-out", **_SIGN_OUT)
    async def sign_out(request: Request, response: Response) -> SignedOut:
        """Ends the session of the person who has signed in, for all copies of its cookie."""
        same_origin.check(request, cookies.public_url)
        session = sign_in.sessions.recognise(request.cookies.get(sessions.COOKIE, ""))
        if session:
            await _end(session, history, sign_in)
        cookies.forget(response)
        return SignedOut(end_session_url=await sign_in.end_address() if session else None)


async def _end(session: Session, history: History, sign_in: SignIn) -> None:
    with translated():
        await sign_in.sessions.end(session)
    history.trail.record(Event.SIGNED_OUT, session.caller.owner)


@asynccontextmanager
async def _answered(
    request: Request, history: History, cookies: _Cookies, documents: Documents
) -> AsyncIterator[list[Response]]:
    """Turns an error into a page for people, or into RequestProblem for programs."""
    answers: list[Response] = []
    try:
        yield answers
    except SignInError as error:
        status, code = _PROBLEMS[type(error)]
        level = logging.WARNING if isinstance(error, ProviderUnavailable) else logging.INFO
        logger.log(level, "a sign-in did not succeed: %s", error)
        history.trail.record(
            Event.SIGN_IN_REFUSED, "", outcome=Outcome.REFUSED, reason=code, cause=str(error)
        )
        headers = _RETRY if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        problem = RequestProblem(status, code, str(error), headers=headers)
        if not sign_in_pages.are_wanted(request):
            raise problem from error
        answers.append(
            sign_in_pages.page(request, problem, documents, public_url=cookies.public_url)
        )


def _redirect(address: str) -> Response:
    headers = {"Referrer-Policy": "no-referrer"}  # the query has the provider's code
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, headers)


_SIGN_IN: dict[str, Any] = {
    "summary": "Sign in",
    "status_code": HTTPStatus.SEE_OTHER,
    "responses": openapi.redirect("To the provider") | openapi.problems(400, 500, 503),
}
_CALLBACK: dict[str, Any] = {
    "summary": "Return from the provider",
    "status_code": HTTPStatus.SEE_OTHER,
    "responses": openapi.redirect("To the page, signed in") | openapi.problems(400, 403, 500, 503),
}
_SIGN_OUT: dict[str, Any] = {
    "summary": "Sign out",
    "responses": openapi.answer("What is left to do") | openapi.problems(403, 500, 503),
}
