"""The classifier pods: found by name as they come and go, and each given lanes while it answers.

A headless Service's name has the addresses of its ready pods, so it is asked for every second: a
load balancer between would keep a connection, and all that goes over it, at one pod. A pod is tried
with an authenticated request before it gets a lane, and loses its lanes at its first failure; what
it had is asked of the own runner, so that several bad pods cost a request one timeout at most.
Some of what pods answer is asked of the own runner too, and must agree. A pod that fails again soon
waits longer every time. Nothing here ever fails a request.
"""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from bentos import tracing
from bentos.inference import wire
from bentos.inference.coalescing import Ask, Coalescer, ConnectionLost, Lane
from bentos.inference.model import Rows
from bentos.inference.runners import BLANK, CLASSIFIER
from bentos.inference.validation import PodFailed, agree, read_rows
from bentos.metrics import get_metrics
from bentos.settings import Settings
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 1.0
_LANES = 2
"""Hops to one pod at once: the next is on its way while one is computed."""
_LONGEST_PAUSE_SECONDS = 60.0
"""Before a pod is tried again; the first pause is a look, each further one twice the last."""
_HONEST = ("busy", "unreachable")
"""Why a pod fails that is full or restarts: it costs a batch next to nothing, and is back soon."""
_CHECKED_SHARE = 1 / 64
"""Of batches, beside a pod's first one: an image of each is asked of the own runner too."""
_HEADER_BYTES, _HEADERS, _BUFFER_BYTES = 4096, 32, 2**16
"""Of an answer: a line of its head, the lines, and what is read of its body ahead of need."""

Resolve = Callable[[str, int], Awaitable[set[str]]]
"""Gives the URLs of the pods of a name and port. Raises gaierror."""


@dataclass
class _Pod:
    url: str
    named: bool = True  # by the name service, when it was asked last
    lanes: list[Lane] = field(default_factory=list)
    trial: asyncio.Task[None] | None = None
    checked: bool = False  # an answer of it, since it got its lanes
    complaint: str = ""  # logged once, not every second
    failures: int = 0  # in a row, while it had lanes
    opened: float = 0.0  # when it got its lanes
    again: float = 0.0  # when it may be tried

    def may_be_tried(self) -> bool:
        trying = self.trial is not None and not self.trial.done()
        return self.named and not self.lanes and not trying and time.monotonic() >= self.again

    def punish(self) -> None:
        """Makes it wait, for longer than the last time unless that was long ago."""
        now = time.monotonic()
        lasted = now - self.opened > _LONGEST_PAUSE_SECONDS
        self.failures = 1 if lasted else self.failures + 1
        doublings = min(self.failures - 1, 16)  # a float has an end
        self.again = now + min(_LOOK_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS)

    @property
    def forgotten(self) -> bool:
        """Whether nothing of it must be remembered: a name that comes back is not a new pod."""
        return not self.named and time.monotonic() - self.again > _LONGEST_PAUSE_SECONDS


class Pods:
    """Keeps lanes to the pods that answer."""

    def __init__(
        self,
        hops: Coalescer,
        own: Ask,
        *,
        digest: str,
        settings: Settings,
        resolve: Resolve | None = None,
    ) -> None:
        """`own` asks the gateway's own runner. `digest` is the classifier's, which the pods must
        have as well.
        """
        self._hops, self._own, self._resolve = hops, own, resolve or _resolve
        self._name, _, port = settings.classifier_pods.rpartition(":")
        self._port = int(port)
        self._headers = {
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {settings.pod_token.get_secret_value()}",
            "Content-Type": wire.MEDIA_TYPE,
            wire.DIGEST_HEADER: digest,
        }
        self._seconds = settings.pod_timeout_seconds
        self._pods: dict[str, _Pod] = {}

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._seconds, connect=_CONNECT_SECONDS),
            headers=self._headers,
            # A stranger's answer is neither remembered nor unpacked, and no longer than ours are.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            max_headers=_HEADERS,
            read_bufsize=_BUFFER_BYTES,
        )

    async def watch(self) -> None:
        """Looks for pods until it is cancelled."""
        async with self._session() as session:
            try:
                while True:
                    try:
                        await self._look(session)
                    except Exception:  # or no pod would ever be found again
                        logger.exception("looking for classifier pods failed")
                    await asyncio.sleep(_LOOK_SECONDS)
            finally:
                for pod in self._pods.values():
                    if pod.trial is not None:
                        pod.trial.cancel()

    async def _look(self, session: aiohttp.ClientSession) -> None:
        found = await self._found()
        for url in found:
            self._pods.setdefault(url, _Pod(url))
        for pod in list(self._pods.values()):
            pod.named = pod.url in found
            if pod.lanes and not pod.named:
                self._close(pod)
            if pod.forgotten:
                del self._pods[pod.url]
            if pod.may_be_tried():  # not waited for: one that hangs must not keep the others out
                pod.trial = asyncio.create_task(self._try(session, pod))

    async def _found(self) -> set[str]:
        try:
            return await self._resolve(self._name, self._port)
        except socket.gaierror as error:
            # No such name is how it is said that none is ready.
            known = {pod.url for pod in self._pods.values() if pod.named}
            return known if error.errno == socket.EAI_AGAIN else set()

    async def _try(self, session: aiohttp.ClientSession, pod: _Pod) -> None:
        try:
            await self._post(session, pod, BLANK)
        except PodFailed as failure:
            if str(failure) != pod.complaint:
                logger.warning("classifier pod %s is not used: %s", pod.url, failure)
                get_metrics().pod_failures.labels(failure.reason).inc()
            pod.complaint = str(failure)
            return
        if not pod.named:  # it went meanwhile
            return
        pod.complaint, pod.checked, pod.opened = "", False, time.monotonic()
        ask = partial(self._ask, session, pod)
        pod.lanes = [self._hops.open_lane(ask) for _ in range(_LANES)]
        self._count()

    async def _ask(self, session: aiohttp.ClientSession, pod: _Pod, images: Images) -> Rows:
        try:
            rows = await self._post(session, pod, images)
            await self._check(pod, images, rows)
        except PodFailed as failure:
            self._give_up(pod, failure)
            return await self._own(images)
        get_metrics().runner_images.labels(CLASSIFIER, "pods").inc(len(images))
        return rows

    async def _post(self, session: aiohttp.ClientSession, pod: _Pod, images: Images) -> Rows:
        headers = tracing.current_headers()
        data = wire.pack_images(images)
        try:
            async with session.post(
                pod.url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                return await read_rows(answer, len(images))
        except PodFailed:
            raise
        except TimeoutError as error:
            raise PodFailed("timeout", f"it took longer than {self._seconds:g} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise PodFailed("unreachable", type(error).__name__) from error
        except Exception as error:  # whatever it makes a library raise, it is to blame for
            raise PodFailed("malformed", type(error).__name__) from error

    async def _check(self, pod: _Pod, images: Images, rows: Rows) -> None:
        """Asks the own runner for what is suspect, or a sample, too. Raises PodFailed."""
        asked = ~rows["ok"]
        if not pod.checked or random.random() < _CHECKED_SHARE:
            asked[random.randrange(len(rows))] = True
        if not asked.any():
            return
        try:
            async with asyncio.timeout(self._seconds):
                own = await self._own(images[asked])
        except (ConnectionLost, ModelUnavailable, TimeoutError):
            return  # it is started again meanwhile; the next answer is checked
        if not agree(rows[asked], own):
            raise PodFailed("wrong", "the own runner answers otherwise")
        pod.checked = True

    def _give_up(self, pod: _Pod, failure: PodFailed) -> None:
        if not pod.lanes:  # its other lane failed first
            return
        logger.warning("classifier pod %s is given up: %s", pod.url, failure)
        get_metrics().pod_failures.labels(failure.reason).inc()
        if failure.reason not in _HONEST:
            pod.punish()
        self._close(pod)

    def _close(self, pod: _Pod) -> None:
        lanes, pod.lanes = pod.lanes, []
        for lane in lanes:
            self._hops.close_lane(lane)
        self._count()

    def _count(self) -> None:
        get_metrics().classifier_pods.set(sum(bool(pod.lanes) for pod in self._pods.values()))


async def _resolve(name: str, port: int) -> set[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return {_url(str(host), port) for *_, (host, *_) in found}


def _url(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{wire.PATH}"
