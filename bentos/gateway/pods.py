"""The classifier pods: found by name as they come and go, and each given lanes while it answers.

A headless Service's name has the addresses of its ready pods, so it is asked for every second: a
load balancer between would keep a connection, and all that goes over it, at one pod. A pod is tried
with an authenticated request before it gets a lane, and loses its lanes at its first failure; what
it had is asked elsewhere, at last of the own runner. Nothing here ever fails a request.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from bentos import tensors
from bentos.covid_classifier.service import ROW
from bentos.gateway import tracing
from bentos.gateway.coalescing import Coalescer, ConnectionLost, Lane
from bentos.gateway.runners import BLANK, CLASSIFIER
from bentos.metrics import get_metrics
from bentos.runner import Rows
from bentos.settings import Settings
from chestxray.engines import Images

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 1.0
_LANES = 2
"""Hops to one pod at once: the next is on its way while one is computed."""


Resolve = Callable[[str, int], Awaitable[set[str]]]
"""Gives the URLs of the pods of a name and port. Raises gaierror."""


class PodFailed(Exception):
    """A pod did not answer as it should; the message says how."""


@dataclass
class _Pod:
    url: str
    lanes: list[Lane] = field(default_factory=list)
    complaint: str = ""  # logged once, not every second


class Pods:
    """Keeps lanes to the pods that answer."""

    def __init__(
        self, hops: Coalescer, *, digest: str, settings: Settings, resolve: Resolve | None = None
    ) -> None:
        """`digest` is the classifier's, which the pods must have as well."""
        self._hops, self._resolve = hops, resolve or _resolve
        self._name, _, port = settings.classifier_pods.rpartition(":")
        self._port = int(port)
        self._headers = {
            "Authorization": f"Bearer {settings.pod_token.get_secret_value()}",
            "Content-Type": tensors.MEDIA_TYPE,
            tensors.DIGEST_HEADER: digest,
        }
        self._timeout = aiohttp.ClientTimeout(
            total=settings.pod_timeout_seconds, connect=_CONNECT_SECONDS
        )
        self._pods: dict[str, _Pod] = {}

    async def watch(self) -> None:
        """Looks for pods until it is cancelled."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, headers=self._headers
        ) as session:
            while True:
                try:
                    await self._look(session)
                except Exception:  # or no pod would ever be found again
                    logger.exception("looking for classifier pods failed")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        found = await self._found()
        for url in self._pods.keys() - found:
            self._close(self._pods.pop(url))
        for url in found - self._pods.keys():
            self._pods[url] = _Pod(url)
        waiting = [pod for pod in self._pods.values() if not pod.lanes]
        await asyncio.gather(*(self._try(session, pod) for pod in waiting))

    async def _found(self) -> set[str]:
        try:
            return await self._resolve(self._name, self._port)
        except socket.gaierror as error:
            # No such name is how it is said that none is ready.
            return set(self._pods) if error.errno == socket.EAI_AGAIN else set()

    def _answering(self) -> list[_Pod]:
        return [pod for pod in self._pods.values() if pod.lanes]

    async def _try(self, session: aiohttp.ClientSession, pod: _Pod) -> None:
        try:
            await self._post(session, pod, BLANK)
        except PodFailed as failure:
            if str(failure) != pod.complaint:
                logger.warning("classifier pod %s is not used: %s", pod.url, failure)
            pod.complaint = str(failure)
            return
        pod.complaint = ""
        ask = partial(self._ask, session, pod)
        pod.lanes = [self._hops.open_lane(ask) for _ in range(_LANES)]
        self._count()

    async def _ask(self, session: aiohttp.ClientSession, pod: _Pod, images: Images) -> Rows:
        try:
            rows = await self._post(session, pod, images)
        except PodFailed as failure:
            if pod.lanes:
                logger.warning("classifier pod %s is given up: %s", pod.url, failure)
            self._close(pod)
            raise ConnectionLost from failure
        get_metrics().runner_images.labels(CLASSIFIER, "pods").inc(len(images))
        return rows

    async def _post(self, session: aiohttp.ClientSession, pod: _Pod, images: Images) -> Rows:
        headers = tracing.current_headers()
        data = tensors.pack_images(images)
        try:
            async with session.post(
                pod.url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise PodFailed(f"it answered {answer.status}")
                return tensors.unpack_rows(await answer.read(), ROW, len(images))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise PodFailed(type(error).__name__) from error

    def _close(self, pod: _Pod) -> None:
        lanes, pod.lanes = pod.lanes, []
        for lane in lanes:
            self._hops.close_lane(lane)
        self._count()

    def _count(self) -> None:
        get_metrics().classifier_pods.set(len(self._answering()))


async def _resolve(name: str, port: int) -> set[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return {_url(str(host), port) for *_, (host, *_) in found}


def _url(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{tensors.PATH}"
