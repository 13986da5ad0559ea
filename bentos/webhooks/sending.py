"""Sends one delivery, and says what the receiver answered."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpcore

from bentos.webhooks.addresses import RefusedUrl, Target
from bentos.webhooks.connecting import PinnedBackend, RefusedAddress

SECONDS = 15.0
"""For name, connection, TLS and answer together: the convention asks for 15 to 30 s."""
_DIGITS = re.compile(r"\d{1,9}")
_AGENT = b"chestxray-webhooks"


class Failure(StrEnum):
    """Why a receiver has not taken a delivery."""

    REFUSED_ADDRESS = "refused-address"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    """What it answered is not HTTP."""
    STATUS = "status"
    """Its status is not 2xx; redirects are not followed."""
    SECRET = "secret"
    """The secret cannot be decrypted here: it is the operator's fault, and nothing was sent."""


@dataclass(frozen=True)
class Answer:
    """What became of an attempt."""

    status: int | None = None
    failure: Failure | None = None
    retry_after: float | None = None
    """Seconds that the receiver asks to wait."""


class Sender:
    """Posts to receivers; nothing of their answers is read but status and headers."""

    def __init__(
        self,
        backend: PinnedBackend,
        *,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._backend, self._seconds = backend, seconds
        self._tls = tls or httpcore.default_ssl_context()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts a body once."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(Target.parse(url), headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(failure=Failure.TIMEOUT)
        except (RefusedUrl, RefusedAddress):
            return Answer(failure=Failure.REFUSED_ADDRESS)
        except httpcore.NetworkError as error:
            return Answer(failure=Failure.TLS if _is_of_tls(error) else Failure.UNREACHABLE)
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            return Answer(failure=Failure.PROTOCOL)

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """A connection of its own for each: none is kept open, and each name is resolved anew."""
        url = httpcore.URL(
            scheme=b"https",
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        sent = [(b"Host", _authority(target)), (b"User-Agent", _AGENT)]
        sent += [(b"Content-Type", b"application/json"), (b"Connection", b"close")]
        sent += [(b"Content-Length", str(len(body)).encode())]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, network_backend=self._backend, http2=False
            ) as pool,
            pool.stream("POST", url, headers=sent, content=body) as response,
        ):
            if 200 <= response.status < 300:
                return Answer(response.status)
            return Answer(response.status, Failure.STATUS, _retry_after(response.headers))


def _authority(target: Target) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return (host if target.port == 443 else f"{host}:{target.port}").encode()


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3); None where there is neither."""
    values = [value for name, value in headers if name.lower() == b"retry-after"]
    if not values:
        return None
    text = values[0].decode("latin-1").strip()
    if _DIGITS.fullmatch(text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - _now().timestamp()


def _now() -> datetime:
    return datetime.now(UTC)
