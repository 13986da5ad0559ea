"""Service discovery: finds the classifier pods by DNS, and adds those that answer to the pool.

A headless Service has the addresses of its ready pods, and is resolved every second: a load
balancer between would keep a connection, and all its requests, at one pod. A pod is tried with an
authenticated request before it gets images. One that failed is tried again, after a pause that
doubles each time.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bentos.inference.client import BLANK, ModelClient
from bentos.inference.errors import BackendError
from bentos.inference.pool import ModelPool, Pod
from bentos.metrics import get_metrics
from bentos.settings import Settings

logger = logging.getLogger(__name__)

_RESOLVE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 60.0
"""Before a pod is tried again."""
_UNPUNISHED = ("busy", "unreachable")
"""A pod that is full or restarts costs a request next to nothing, and is back soon."""

Resolve = Callable[[str, int], Awaitable[set[str]]]
"""Returns the URLs of the pods of a host name and port. Raises gaierror."""


@dataclass
class _Candidate:
    """A pod whose address DNS has given."""

    url: str
    resolved: bool = True  # by the latest look-up
    pod: Pod | None = None  # while it is in use
    trial: asyncio.Task[None] | None = None
    complaint: str = ""  # logged once, not every second
    failures: int = 0  # in a row, while it was in use
    added: float = 0.0  # when it was added to the pool
    retry: float = 0.0  # when it may be tried again

    def may_be_tried(self) -> bool:
        trying = self.trial is not None and not self.trial.done()
        return self.resolved and not self.pod and not trying and time.monotonic() >= self.retry

    def back_off(self) -> None:
        """Doubles the pause, unless the pod worked for long."""
        now = time.monotonic()
        worked = now - self.added > _MAX_PAUSE_SECONDS
        self.failures = 1 if worked else self.failures + 1
        doublings = min(self.failures - 1, 16)  # keeps the float finite
        self.retry = now + min(_RESOLVE_SECONDS * 2**doublings, _MAX_PAUSE_SECONDS)

    @property
    def forgotten(self) -> bool:
        """Whether its back-off is over: an address that returns earlier is not a new pod."""
        return not self.resolved and time.monotonic() - self.retry > _MAX_PAUSE_SECONDS


class Discovery:
    """Keeps the pool's pods up to date."""

    def __init__(
        self,
        pool: ModelPool,
        *,
        row: "np.dtype[np.void]",
        digest: str,
        settings: Settings,
        resolve: Resolve | None = None,
    ) -> None:
        """The pods must have the checkpoint `digest` as well."""
        self._pool, self._resolve = pool, resolve or _resolve
        self._row, self._digest, self._settings = row, digest, settings
        self._host, _, port = settings.classifier_pods.rpartition(":")
        self._port = int(port)
        self._candidates: dict[str, _Candidate] = {}
        self._clients: set[ModelClient] = set()  # all that are open
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Looks for pods until it is cancelled."""
        try:
            while True:
                try:
                    await self._update()
                except Exception:  # or no pod would ever be found again
                    logger.exception("the discovery of classifier pods failed")
                await asyncio.sleep(_RESOLVE_SECONDS)
        finally:
            await self._close()

    async def _close(self) -> None:
        tasks = {each.trial for each in self._candidates.values() if each.trial} | self._closing
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in self._clients))

    async def _update(self) -> None:
        urls = await self._look_up()
        for url in urls:
            self._candidates.setdefault(url, _Candidate(url))
        for each in list(self._candidates.values()):
            each.resolved = each.url in urls
            if each.pod and not each.resolved:
                self._remove(each)
            if each.forgotten:
                del self._candidates[each.url]
            if each.may_be_tried():  # in the background: one that hangs must not delay the others
                each.trial = asyncio.create_task(self._try(each))

    async def _look_up(self) -> set[str]:
        try:
            return await self._resolve(self._host, self._port)
        except socket.gaierror as error:
            # DNS has no such name while no pod is ready; any other failure says nothing of pods.
            known = {each.url for each in self._candidates.values() if each.resolved}
            return known if error.errno == socket.EAI_AGAIN else set()

    async def _try(self, candidate: _Candidate) -> None:
        client = ModelClient(
            candidate.url,
            row=self._row,
            digest=self._digest,
            seconds=self._settings.pod_timeout_seconds,
            settings=self._settings,
        )
        self._clients.add(client)
        try:
            await client(BLANK)
        except BackendError as error:
            await self._discard(client)
            if str(error) != candidate.complaint:
                logger.warning("classifier pod %s is not used: %s", candidate.url, error)
                get_metrics().pod_failures.labels(error.reason).inc()
            candidate.complaint = str(error)
            return
        if not candidate.resolved:  # it disappeared meanwhile
            await self._discard(client)
            return
        candidate.complaint, candidate.added = "", time.monotonic()
        candidate.pod = Pod(client, lambda error: self._on_failure(candidate, error))
        self._pool.add(candidate.pod)

    def _on_failure(self, candidate: _Candidate, error: BackendError) -> None:
        if candidate.pod is None:  # another request failed first
            return
        logger.warning("classifier pod %s is closed: %s", candidate.url, error)
        get_metrics().pod_failures.labels(error.reason).inc()
        if error.reason not in _UNPUNISHED:
            candidate.back_off()
        self._remove(candidate)

    def _remove(self, candidate: _Candidate) -> None:
        assert candidate.pod is not None
        self._pool.remove(candidate.pod)
        closing = asyncio.create_task(self._close_when_idle(candidate.pod))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        candidate.pod = None

    async def _close_when_idle(self, pod: Pod) -> None:
        while pod.outstanding:
            await asyncio.sleep(_RESOLVE_SECONDS)
        await self._discard(pod.client)

    async def _discard(self, client: ModelClient) -> None:
        await client.close()
        self._clients.discard(client)


async def _resolve(host: str, port: int) -> set[str]:
    loop = asyncio.get_running_loop()
    return urls_of(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def urls_of(found: Sequence[tuple[Any, ...]]) -> set[str]:
    """The URLs of the addresses of one family: on a dual-stack cluster a pod has one of each, and
    would count twice. The resolver puts the family first that this machine reaches.
    """
    family = found[0][0]
    return {_url(*each[-1][:2]) for each in found if each[0] == family}


def _url(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}"
