"""Both clients by one interface, over a transport that answers from a list."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from bentos.gateway.examples import ANSWERS, problem
from chestxray.client import AsyncClient, Client, Retries

AT_ONCE = Retries(tries=4, first_pause=0, longest_pause=0)
KINDS = ("sync", "async")
URL = "http://service.test/prefix/"

Reply = httpx.Response | Exception


def analysis() -> httpx.Response:
    return httpx.Response(200, json=ANSWERS["analyse_image"])


def refused(code: str, status: int = 503, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=problem(code) | {"status": status}, headers=headers)


class Service:
    """Gives one reply after another, the last one for ever, and keeps the requests."""

    def __init__(self, *replies: Callable[[], Reply]) -> None:
        self._replies = replies
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        reply = self._replies[min(len(self.requests), len(self._replies)) - 1]()
        if isinstance(reply, Exception):
            raise reply
        return reply


def call(
    kind: str, service: Service, method: str = "analyze", *arguments: Any, **options: Any
) -> Any:
    """Calls a method of the client of this kind; `timeout` is that of the client."""
    options = {"retries": AT_ONCE, "timeout": 10} | options
    with httpx.Client(transport=httpx.MockTransport(service)) as http:
        if kind == "sync":
            with Client(URL, http=http, **options) as client:
                return getattr(client, method)(*(arguments or (b"image",)))

    async def main() -> Any:
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(service)) as http,
            AsyncClient(URL, http=http, **options) as client,
        ):
            return await getattr(client, method)(*(arguments or (b"image",)))

    return asyncio.run(main())


def call_network(kind: str, url: str, images: Sequence[bytes] = (b"image",), **options: Any) -> Any:
    """Analyses one image, over a real connection."""
    if kind == "sync":
        with Client(url, **options) as client:
            return client.analyze(images[0])

    async def main() -> Any:
        async with AsyncClient(url, **options) as client:
            return await client.analyze(images[0])

    return asyncio.run(main())
