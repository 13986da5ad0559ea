"""People who sign in at a provider, through the app over fake models."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from bentos.callers.sessions import COOKIE, Session
from bentos.sign_in.errors import SignInError
from bentos.sign_in.sign_in import SignIn
from tests.service.faulty_provider import CLIENT, SECRET, Provider
from tests.service.keeping import Gateway

PUBLIC = "http://127.0.0.1:3000"
BROWSER = {"Sec-Fetch-Site": "same-origin"}


def settings_of(provider: Provider, **changes: Any) -> dict[str, Any]:
    """Settings with which everybody may sign in."""
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_without_role": True,
        "public_url": PUBLIC,
    } | changes


async def begin(client: httpx.AsyncClient, place: str = "/") -> str:
    """Begins a sign-in; returns the provider's address."""
    answer = await client.get("/sign-in", params={"return": place})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(client: httpx.AsyncClient, address: str, **more: Any) -> httpx.Response:
    """Follows the provider's redirect back to us."""
    assert address.startswith(f"{PUBLIC}/sign-in/callback?")
    return await client.get(f"/sign-in/callback?{urlsplit(address).query}", **more)


async def sign_in(
    client: httpx.AsyncClient, provider: Provider, place: str = "/"
) -> httpx.Response:
    """Signs in; returns the last answer, whatever it is."""
    return await come_back(client, provider.authorise(await begin(client, place)))


async def person(gateway: Gateway, provider: Provider, subject: str) -> httpx.AsyncClient:
    """A new browser in which somebody has signed in."""
    client = gateway.visitor()
    provider.subject = subject
    answer = await sign_in(client, provider)
    assert answer.status_code == 303, answer.text
    assert client.cookies[COOKIE]
    return client


async def caller(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the service says of a caller."""
    answer = await client.get("/v1/caller")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def answered(
    signing: SignIn, provider: Provider, **changes: str | None
) -> tuple[Session, str, str]:
    """Signs in, with changes of what the browser brings back."""
    address, cookie = await signing.begin("/")
    query = dict(parse_qsl(urlsplit(provider.authorise(address)).query)) | changes
    return await signing.finish({k: v for k, v in query.items() if v is not None}, cookie)


async def fails(
    signing: SignIn, provider: Provider, wanted: type[SignInError], /, **changes: Any
) -> None:
    with pytest.raises(wanted) as raised:
        await answered(signing, provider, **changes)
    assert type(raised.value) is wanted
    for private in (provider.subject, "Maria", "maria@"):
        assert private not in str(raised.value)
