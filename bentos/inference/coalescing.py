"""Gathers the images that wait for a model while a hop to it is under way, into the next hop.

BentoML's adaptive batching would do this too, but what it learns under load it keeps: after a
burst it lets a lone request wait for company as long as requests waited on average. With one hop
at a time nothing ever queues there, a lone image goes at once, and fewer, larger hops cost less.
Where a model takes a second hop beside, it has something to do while the first one's last images
end and its answer travels; that is for when enough images wait.
What nobody waits for any more is dropped here, before it costs the model anything.

A model may be reached by several lanes, to pods that come and go; each takes the next hop when it
is free, so the fastest takes most, and what one loses another takes.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
from opentelemetry.trace import SpanContext

from bentos import tracing
from bentos.admission import ledger
from bentos.admission.ledger import Account
from bentos.inference.model import Rows
from bentos.metrics import get_metrics
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable

Ask = Callable[[Images], Awaitable[Rows]]

_TRIES = 3
_PAUSE_SECONDS = 0.05
_WORTH_A_SECOND_HOP = 4
"""Images; fewer are cheaper in one hop with those that come until the first one ends."""


class ConnectionLost(Exception):
    """The model went away with a hop; what was asked may be asked again."""


@dataclass
class _Waiting:
    images: Images
    answer: "asyncio.Future[Rows]"
    request: SpanContext = field(default_factory=tracing.current)
    account: Account = field(default_factory=ledger.current)
    since: float = field(default_factory=time.monotonic)
    tries: int = 0


@dataclass(eq=False)
class Lane:
    """One way to a model, with one hop on it at a time."""

    ask: Ask
    worker: asyncio.Task[None] | None = None
    suspect: bool = False  # what it carries went down with the model before

    @property
    def idle(self) -> bool:
        """Whether no hop is on it."""
        return self.worker is None or self.worker.done()


class Coalescer:
    """Asks one model for many callers; each gets its own rows, or the error of its hop."""

    def __init__(self, *ways: Ask, model: str, stage: str, largest: int) -> None:
        """`ways` are always there, all to one process, and taken while no other lane is open."""
        self._own, self._others = [Lane(ask) for ask in ways], list[Lane]()
        self._model, self._stage, self._largest = model, stage, largest
        self._waiting: deque[_Waiting] = deque()
        self._answered = 0.0  # when the last batch was answered

    async def __call__(self, images: Images) -> Rows:
        """Returns one row per image, in order. Raises ModelUnavailable."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(images, answer))
        self._wake()
        return await answer

    @property
    def lanes(self) -> int:
        """Ways to the model beside its own."""
        return len(self._others)

    def open_lane(self, ask: Ask) -> Lane:
        """Adds a way to the model; the own ones rest from now on."""
        self._others.append(lane := Lane(ask))
        return lane

    def close_lane(self, lane: Lane) -> None:
        """Takes a way back; the hop on it may still end."""
        self._others.remove(lane)
        self._wake()

    def _open(self) -> list[Lane]:
        return self._others or self._own

    def _may_go(self, lane: Lane) -> bool:
        beside = [each for each in self._own if each is not lane and not each.idle]
        if lane not in self._own or not beside:
            return True
        if sum(len(each.images) for each in self._waiting) < _WORTH_A_SECOND_HOP:
            return False
        # Or what takes the process down would take its neighbours' tries with it.
        return not (self._waiting[0].tries or any(each.suspect for each in beside))

    def _wake(self) -> None:
        idle = [lane for lane in self._open() if lane.idle and self._may_go(lane)]
        if idle and self._waiting:
            lane = random.choice(idle)  # or the first would have most of what comes alone
            lane.worker = asyncio.create_task(self._work(lane))

    async def _work(self, lane: Lane) -> None:
        while lane in self._open() and self._may_go(lane) and (hop := self._next_hop()):
            try:
                lane.suspect, begun = hop[0].tries > 0, time.monotonic()
                images = np.concatenate([each.images for each in hop])
                requests = [each.request for each in hop]
                with tracing.batch_span(self._model, requests, len(images)):
                    rows = await lane.ask(images)
            except ConnectionLost:
                self._ask_again(hop)
                self._wake()  # another lane need not wait for this one's pause
                await asyncio.sleep(_PAUSE_SECONDS)
            except Exception as error:  # it belongs to the callers, not to this task
                for each in hop:
                    _settle(each, error)
            else:
                if (
                    not lane.suspect
                ):  # or the wait for a new process would count as the model's time
                    self._charge(hop, begun)
                ends = np.cumsum([len(each.images) for each in hop])
                for each, own in zip(hop, np.split(rows, ends[:-1]), strict=True):
                    _settle(each, own)
        self._wake()  # what waits is for others, where this lane was closed

    def _charge(self, hop: list[_Waiting], begun: float) -> None:
        """Hops overlap; the time between their ends is what one takes of the model."""
        before, self._answered = max(begun, self._answered), time.monotonic()
        accounts = [each.account for each in hop for _ in each.images]
        ledger.charge_batch(self._model, accounts, self._answered - before)

    def _take_turns(self) -> None:
        """Puts first what was tried before, then one image of each caller, then the next of each:
        a caller with many images delays the others by one.
        """
        places: Counter[Account] = Counter()
        ranks = {}
        for each in self._waiting:
            ranks[id(each)] = (not each.tries, places[each.account])
            places[each.account] += len(each.images)
        if len(places) > 1:
            self._waiting = deque(sorted(self._waiting, key=lambda each: ranks[id(each)]))

    def _next_hop(self) -> list[_Waiting]:
        hop: list[_Waiting] = []
        size = 0
        self._take_turns()
        while self._waiting:
            first = self._waiting[0]
            if first.answer.done():  # its caller has left, or its time is over
                get_metrics().dropped.labels(self._stage).inc(len(first.images))
                self._waiting.popleft()
                continue
            # What went down with a model goes alone, in case that it took the model with it.
            if hop and (first.tries or hop[0].tries or size + len(first.images) > self._largest):
                break
            hop.append(self._waiting.popleft())
            size += len(first.images)
        self._measure(hop)
        return hop

    def _measure(self, hop: list[_Waiting]) -> None:
        now = time.monotonic()
        for each in hop:
            get_metrics().batch_queue_seconds.labels(self._model).observe(now - each.since)
        if hop:
            fill = sum(len(each.images) for each in hop) / self._largest
            get_metrics().batch_fill.labels(self._model).observe(fill)

    def _ask_again(self, hop: list[_Waiting]) -> None:
        for each in reversed(hop):
            each.tries += 1
            if each.tries < _TRIES:
                self._waiting.appendleft(each)
            else:
                _settle(each, ModelUnavailable("a model does not answer; try again"))


def _settle(waiting: _Waiting, outcome: Rows | Exception) -> None:
    if waiting.answer.done():  # its caller was cancelled
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
