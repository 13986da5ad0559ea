"""The provider: its discovery document and its keys, which are read when they are needed first."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from bentos.sign_in.errors import ProviderUnavailable
from bentos.sign_in.fetching import Fetching

T = TypeVar("T")

_PLACE = "/.well-known/openid-configuration"
_FRESH_SECONDS = 3600.0
"""The document and the keys are read again after this time; while the provider does not answer,
the earlier ones serve."""
_PAUSE_SECONDS = 1.0
"""After a failure nobody asks again for this time: those who wait would wait in turn."""
_KEYS_SECONDS = 10.0
"""Between two readings of the keys for a key that is unknown, which anybody can make up."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


class _Remembered(Generic[T]):
    """What is read once for all who wait for it, and again when it is old."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._read, self._clock, self._lock = read, clock, asyncio.Lock()
        self.value: T | None = None
        self._since, self._failed = -_FRESH_SECONDS, -_PAUSE_SECONDS

    async def get(self, *, fresh: float = _FRESH_SECONDS) -> T:
        """Returns it, not older than this where the provider answers. Raises
        ProviderUnavailable."""
        async with self._lock:
            now = self._clock()
            if self.value is not None and now - self._since < fresh:
                return self.value
            if now - self._failed < _PAUSE_SECONDS:
                return self._older()
            try:
                self.value, self._since = await self._read(), now
            except ProviderUnavailable:
                self._failed = self._clock()
                if self.value is None:
                    raise
            return self._older()

    def _older(self) -> T:
        if self.value is None:
            raise ProviderUnavailable("the provider did not answer a moment ago")
        return self.value


class Provider:
    """One provider, named by its issuer."""

    def __init__(
        self, issuer: str, fetching: Fetching, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer, self._fetching = issuer, fetching
        self._metadata = _Remembered(self._read_metadata, clock)
        self._keys = _Remembered(self._read_keys, clock)

    async def metadata(self) -> dict[str, Any]:
        """Returns the discovery document. Raises ProviderUnavailable."""
        return await self._metadata.get()

    async def keys(self, *, newer: bool = False) -> KeySet:
        """Returns its public keys; `newer` where one was not among them, at most every ten
        seconds. Raises ProviderUnavailable."""
        return await (self._keys.get(fresh=_KEYS_SECONDS) if newer else self._keys.get())

    async def _read_metadata(self) -> dict[str, Any]:
        found = await self._fetching.get(f"{self.issuer.rstrip('/')}{_PLACE}")
        if found.get("issuer") != self.issuer:
            raise ProviderUnavailable("the provider's discovery document names another issuer")
        for name in (*_ENDPOINTS, *(each for each in _OPTIONAL if each in found)):
            self._check(name, found.get(name))
        return found

    def _check(self, name: str, address: object) -> None:
        """Only an issuer on the loopback interface may have addresses without TLS."""
        allowed = {"https", urlsplit(self.issuer).scheme}
        if not isinstance(address, str) or urlsplit(address).scheme not in allowed:
            raise ProviderUnavailable(f"the provider's discovery document has no secure {name}")

    async def _read_keys(self) -> KeySet:
        address = (await self.metadata())["jwks_uri"]
        found = (await self._fetching.get(address)).get("keys")
        keys = [key for each in (found if isinstance(found, list) else []) if (key := _key(each))]
        if not keys:
            raise ProviderUnavailable("the provider has no keys that can be read")
        return KeySet(keys)


def _key(described: Any) -> Key | None:
    """Returns a key; None for one of a kind that is not known here, which others may be beside."""
    try:
        return JWKRegistry.import_key(described)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
