"""Asks the provider over HTTP: bounded in time and in size, without redirects or compression."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from bentos.sign_in.errors import ProviderUnavailable

_STEP_SECONDS, _TOTAL_SECONDS = 5.0, 10.0
"""Limits on each step, such as the connection, and on all of them together."""
MAX_BYTES = 2**19
"""Of an answer; a discovery document has some KiB, and the keys of a large provider not many
more."""
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Fetching:
    """Reads JSON objects from the provider."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=_STEP_SECONDS, follow_redirects=False, headers=_HEADERS
        )

    async def get(self, url: str, *, token: str = "") -> dict[str, Any]:
        """Returns the object at an address. Raises ProviderUnavailable."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, answer = await self._read("GET", url, headers=headers)
        if status != httpx.codes.OK:
            raise ProviderUnavailable(f"the provider answered {status}")
        return answer

    async def post(
        self, url: str, form: Mapping[str, str], *, auth: tuple[str, str] | None
    ) -> tuple[int, dict[str, Any]]:
        """Posts a form; returns the status below 500, and the object. Raises
        ProviderUnavailable."""
        status, answer = await self._read("POST", url, data=form, auth=auth)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            raise ProviderUnavailable(f"the provider answered {status}")
        return status, answer

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _read(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        try:
            async with (
                asyncio.timeout(_TOTAL_SECONDS),
                self._client.stream(method, url, **options) as answer,
            ):
                body = await _bounded(answer)
                found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise ProviderUnavailable(
                f"the provider cannot be reached: {type(error).__name__}"
            ) from error
        except (ValueError, RecursionError) as error:  # what it says may be of a person
            raise ProviderUnavailable("the provider's answer is no JSON") from error
        if not isinstance(found, dict):
            raise ProviderUnavailable("the provider's answer is no JSON object")
        return answer.status_code, found


async def _bounded(answer: httpx.Response) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ProviderUnavailable("the provider's answer is compressed, which was not asked for")
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_BYTES:
            raise ProviderUnavailable(f"the provider's answer has more than {MAX_BYTES} bytes")
    return bytes(body)
