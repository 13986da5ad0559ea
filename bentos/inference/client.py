"""The client of one model server, local or remote by address only."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from bentos import tracing
from bentos.admission import ledger
from bentos.http.probes import READY
from bentos.inference import wire
from bentos.inference.errors import BackendError
from bentos.inference.wire import Rows
from bentos.settings import Settings
from chestxray.engines import Images
from chestxray.preprocessing import SIZE

BLANK: Images = np.zeros((1, 1, SIZE, SIZE), np.uint8)
"""One image to try a model with."""

_CONNECT_SECONDS = 1.0
_READY_SECONDS = 0.8
"""A kubelet waits for a probe for a second by default."""
_GRACE_SECONDS = 1.0
"""Beyond the time in which the server answers if it lives."""
KEEP_ALIVE_SECONDS = 30.0
"""How long an idle connection stays open. Shorter than the server's, which would otherwise close
one just as it is used."""
_CLOSE = {"Connection": "close"}
"""For readiness requests: the pool uses its idle connections in turn, so that regular requests
would keep as many of them open as a burst once needed."""
_HEADER_BYTES, _HEADERS, _BUFFER_BYTES = 4096, 32, 2**16
"""Of an answer: a line of its head, the lines, and what is read of its body ahead of need."""


class ModelClient:
    """Asks one server for rows. Connections are kept alive and shared."""

    def __init__(
        self,
        address: str,
        *,
        row: "np.dtype[np.void]",
        digest: str,
        seconds: float,
        settings: Settings,
    ) -> None:
        """`address` is http://host:port, or file:///path of a Unix socket. The server answers
        within `seconds`, if only to refuse.
        """
        parts = urlsplit(address)
        self._socket = parts.path if parts.scheme in ("file", "unix") else None
        self._base = f"http://{'model' if self._socket else parts.netloc}"
        self.address, self._row, self._seconds = address, row, seconds
        self._headers = {
            "Accept-Encoding": "identity",
            "Content-Type": wire.MEDIA_TYPE,
            wire.DIGEST_HEADER: digest,
            wire.TIMEOUT_HEADER: str(int(1000 * seconds)),
        }
        if token := settings.pod_token.get_secret_value():
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        """Returns rows (B,) of `images` (B, 1, SIZE, SIZE), and the seconds of the model's time
        that they took. An image that is `alone` shares no batch. Raises BackendError.
        """
        account = ledger.current()
        headers = tracing.current_headers() | {wire.CALLER_HEADER: account.name}
        if self._socket is not None and account.ledger.images > 1:
            headers[wire.LOADED_HEADER] = "1"
        if alone:
            headers[wire.ALONE_HEADER] = "1"
        data = wire.pack_images(images)
        try:
            async with self._open().post(
                self._base + wire.PATH, data=data, headers=headers, allow_redirects=False
            ) as answer:
                return await self._read(answer, len(images))
        except BackendError:
            raise
        except TimeoutError as error:
            raise BackendError("timeout", f"no answer within {self._seconds:g} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise BackendError("unreachable", type(error).__name__) from error
        except Exception as error:  # the answer made a library raise it
            raise BackendError("malformed", type(error).__name__) from error

    async def is_ready(self) -> bool:
        """Asks whether the server is ready; returns within a second."""
        try:
            async with (
                asyncio.timeout(_READY_SECONDS),
                self._open().get(
                    self._base + READY, headers=_CLOSE, allow_redirects=False
                ) as answer,
            ):
                return answer.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(
                    total=self._seconds + _GRACE_SECONDS, connect=_CONNECT_SECONDS
                ),
                headers=self._headers,
                # The answer of a stranger is not remembered, not unpacked, and of bounded size.
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_HEADER_BYTES,
                max_field_size=_HEADER_BYTES,
                max_headers=_HEADERS,
                read_bufsize=_BUFFER_BYTES,
            )
        return self._session

    def _connector(self) -> aiohttp.BaseConnector:
        # Admission control bounds the requests in flight; a limit here would only queue them.
        if self._socket is not None:
            return aiohttp.UnixConnector(
                self._socket, limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS
            )
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)

    async def _read(self, answer: aiohttp.ClientResponse, count: int) -> tuple[Rows, float]:
        if answer.status == 503:
            raise BackendError("busy", "it answered 503", retry_seconds=_retry_seconds(answer))
        if answer.status == 504:
            raise BackendError("busy", "it answered 504")
        if answer.status != 200:
            raise BackendError("refused", f"it answered {answer.status}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise BackendError("malformed", "its answer is compressed against the request")
        data = await _read_body(answer, wire.max_rows_bytes(self._row, count))
        try:
            seconds = float(answer.headers.get(wire.SECONDS_HEADER, "0"))
            rows = wire.unpack_rows(data, self._row, count)
        except ValueError as error:
            raise BackendError("malformed", str(error)) from error
        if not 0 <= seconds <= self._seconds:
            raise BackendError("malformed", f"{wire.SECONDS_HEADER} is out of range")
        return rows, seconds


def _retry_seconds(answer: aiohttp.ClientResponse) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(float(given), 60.0) if given.isascii() and given.isdigit() else 1.0


async def _read_body(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body, length = bytearray(), answer.content_length or 0
    if length <= max_bytes:
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise BackendError("malformed", f"its answer is larger than {max_bytes} bytes")
