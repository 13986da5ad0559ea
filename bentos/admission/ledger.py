"""What each caller has in flight and has used lately, in seconds of the service, failures included.

Capacity is shared by usage that decays, as in the Fair Share scheduler (Kay and Lauder 1988): of
those that wait, the caller that used least lately goes first. What an image costs is measured, per
caller for decoding, which the file decides, and for all together for the models, which take every
image at one size; both are forgotten within seconds.
"""

import math
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from statistics import median_low

ACTIVE_SECONDS = 10.0
"""So long after its last image came or began, a caller counts as one to share the service with."""
_USAGE_SECONDS = 10.0
"""Time in which usage decays to 1/e."""
_COST_SECONDS = 3.0
"""Time in which the highest cost of decoding decays to 1/e, and in which a batch is forgotten."""
_MAX_BATCHES, _OUTLIER = 64, 4
"""Batches of one model that its speed is the mean of, and how many times their median one may count
for at most: one that met a restart says little of the speed."""
_MAX_ACCOUNTS = 4096
"""Callers that are remembered; beyond it those go first that came least recently."""
_FIRST_GUESS_SECONDS = 0.05
"""An image's, until the warm-up has measured the models."""

Clock = Callable[[], float]


class Account:
    """One caller's."""

    def __init__(self, ledger: "Ledger") -> None:
        self.ledger = ledger
        self.name = secrets.token_hex(8)  # for the models: says nothing of who the caller is
        self.images = self.bytes = 0  # admitted, and not answered yet
        self.running = 0  # images that are being decoded or are with the models
        self.paced = 0  # requests that wait for their time
        self.next_time = -math.inf  # of a request, by its pace
        self._usage = self._decode_seconds = 0.0
        self._used_at = self._decoded_at = -math.inf

    @property
    def idle(self) -> bool:
        """Whether the service does nothing for this caller."""
        return not (self.images or self.bytes or self.running or self.paced)

    @property
    def alone(self) -> bool:
        """Whether no other caller was active lately."""
        return self.ledger.is_alone(self)

    @property
    def usage(self) -> float:
        """Seconds of the service that were used lately."""
        return self._usage * self.ledger.decay(self._used_at, _USAGE_SECONDS)

    @property
    def seconds_per_image(self) -> float:
        """Time that the service as a whole needs for one image of this caller's: the part of its
        slowest resource.
        """
        decoding = self._decode_seconds * self.ledger.decay(self._decoded_at, _COST_SECONDS)
        return max(decoding, self.ledger.model_seconds)

    @property
    def work(self) -> float:
        """Time that the service needs for all that this caller has in flight."""
        return self.images * self.seconds_per_image

    def charge(self, seconds: float) -> None:
        """Adds to the usage."""
        now = self.ledger.clock()
        self._usage, self._used_at = self.usage + seconds, now

    def decoded(self, seconds: float) -> None:
        """Learns what decoding an image, or the attempt, took of all decoders' time."""
        known = self._decode_seconds * self.ledger.decay(self._decoded_at, _COST_SECONDS)
        # The maximum, or cheap files between costly ones would hide them.
        self._decode_seconds, self._decoded_at = max(seconds, known), self.ledger.clock()
        self.charge(seconds)


class _Speed:
    """Of one model, as its latest batches say."""

    def __init__(self) -> None:
        self._batches: deque[tuple[float, float, int]] = deque(maxlen=_MAX_BATCHES)

    def add(self, now: float, seconds: float, images: int) -> None:
        self._batches.append((now, seconds / images, images))

    def seconds_per_image(self, now: float) -> float:
        while len(self._batches) > 1 and self._batches[0][0] < now - _COST_SECONDS:
            self._batches.popleft()
        most = _OUTLIER * median_low(each for _, each, _ in self._batches)
        seconds = sum(min(each, most) * images for _, each, images in self._batches)
        return seconds / sum(images for _, _, images in self._batches)


class _Recent:
    """When each of some accounts was last noted; the latest is last."""

    def __init__(self) -> None:
        self._times: OrderedDict[Account, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def note(self, account: Account, now: float) -> None:
        self._times[account] = now
        self._times.move_to_end(account)
        while now - next(iter(self._times.values())) > ACTIVE_SECONDS:
            self._times.popitem(last=False)
        if len(self._times) > _MAX_ACCOUNTS:
            self._times.popitem(last=False)

    def has_other_than(self, account: Account, now: float) -> bool:
        """Whether another account was noted within ACTIVE_SECONDS."""
        latest = islice(reversed(self._times), 2)
        since = [self._times[each] for each in latest if each is not account]
        return bool(since) and now - since[0] <= ACTIVE_SECONDS


class Ledger:
    """The accounts of all callers, bounded in number, and what the models take."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.model_seconds = _FIRST_GUESS_SECONDS
        self._accounts: OrderedDict[str, Account] = OrderedDict()  # the last seen is last
        self._active, self._asking = _Recent(), _Recent()
        self._speeds: dict[str, _Speed] = {}

    def account(self, caller: str) -> Account:
        """The account of a caller that asks now."""
        account = self.look_up(caller)
        self._accounts[caller] = account
        self._accounts.move_to_end(caller)
        if len(self._accounts) > _MAX_ACCOUNTS:
            self._forget()
        return account

    def activate(self, account: Account) -> None:
        """Says that it is one to share the service with: it has something analysed."""
        self._active.note(account, self.clock())

    def ask(self, account: Account) -> None:
        """Says that it asks for something, of whatever kind."""
        self._asking.note(account, self.clock())

    def look_up(self, caller: str) -> Account:
        """The account of a caller, not kept where it is new."""
        return self._accounts.get(caller) or Account(self)

    def is_alone(self, account: Account) -> bool:
        """Whether no other caller than an account's was active lately."""
        return not self._active.has_other_than(account, self.clock())

    def is_only_asker(self, account: Account) -> bool:
        """Whether no other caller than an account's asked for anything lately."""
        return not self._asking.has_other_than(account, self.clock())

    def decay(self, since: float, seconds: float) -> float:
        """What is left of 1 after a time, where 1/e is after `seconds`."""
        return math.exp((since - self.clock()) / seconds)

    def observe(self, model: str, seconds: float, images: int = 1) -> None:
        """Learns what a batch took of a model's time; the slower model counts."""
        now = self.clock()
        self._speeds.setdefault(model, _Speed()).add(now, seconds, images)
        self.model_seconds = max(each.seconds_per_image(now) for each in self._speeds.values())

    def _forget(self) -> None:
        oldest = next((name for name, each in self._accounts.items() if each.idle), None)
        if oldest is not None:
            del self._accounts[oldest]


def charge(model: str, seconds: float, images: int) -> None:
    """Charges the current account for a model's time that some images took."""
    account = current()
    account.ledger.observe(model, seconds, images)
    account.charge(seconds)


_current: ContextVar[Account] = ContextVar("account")
_NOBODY = Ledger().account("")


def current() -> Account:
    """The account of the request that is served; outside of any, nobody's."""
    return _current.get(_NOBODY)


@contextmanager
def serving(account: Account) -> Iterator[None]:
    """Makes an account the current one."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)
