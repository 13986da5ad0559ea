"""Accounting per client: work in flight and recent usage, in seconds of service time.

Usage decays exponentially, as in the Fair Share scheduler (Kay and Lauder 1988); the waiting client
with the least recent usage goes first. Failed requests count too. The cost per image is measured:
for decoding per client, because it depends on the file; for the models over all clients, because
every image has the same size there. Filter, decoders and refusals need the cores of the slower
model, and its speed varies, so while images queue, the time that requests took is compared with the
time that was predicted. All estimates follow changes within seconds.
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
"""A client counts as active for this long after its last image arrived or started."""
_USAGE_SECONDS = 10.0
"""Time constant of the decay of usage."""
_COST_SECONDS = 3.0
"""Time constant of the decay of the peak decoding cost, and the window of a model's batches."""
_MAX_BATCHES, _OUTLIER = 64, 4
"""Maximum number of batches in a model's mean time per image, and the factor of their median at
which each is capped: a batch that was retried after a restart says little about the speed."""
_ANSWER_SECONDS, _MIN_ANSWERS, _MAX_ANSWERS = 10.0, 32, 256
"""Answers whose time is compared with the prediction: their age, and their number."""
_QUANTILE, _EVERY = 0.95, 8
"""So many of them were to take no longer than predicted; computed after so many answers."""
_MAX_OVERRUN = 1.5
"""The other work takes no more than that; a model that is restarted does, and soon is back."""
_MAX_ACCOUNTS = 4096
"""Callers that are remembered; beyond it those go first that came least recently."""
_INITIAL_SECONDS = 0.05
"""Estimated time per image until the warm-up has measured the models."""

Clock = Callable[[], float]


class Account:
    """Work in flight and recent usage of one client."""

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
        """Whether the client has nothing in flight."""
        return not (self.images or self.bytes or self.running or self.paced)

    @property
    def alone(self) -> bool:
        """Whether no other client has been active within ACTIVE_SECONDS."""
        return self.ledger.is_alone(self)

    @property
    def usage(self) -> float:
        """Recent usage in seconds of service time, decayed."""
        return self._usage * self.ledger.decay(self._used_at, _USAGE_SECONDS)

    @property
    def bottleneck_seconds(self) -> float:
        """Time per image of this client at the bottleneck, decoders or models, without a queue."""
        decoding = self._decode_seconds * self.ledger.decay(self._decoded_at, _COST_SECONDS)
        return max(decoding, self.ledger.model_seconds)

    @property
    def seconds_per_image(self) -> float:
        """Service time per image of this client, while images queue."""
        return self.bottleneck_seconds * self.ledger.overrun

    @property
    def work(self) -> float:
        """Service time of all images that the client has in flight, in seconds."""
        return self.images * self.seconds_per_image

    def charge(self, seconds: float) -> None:
        """Adds to the client's usage."""
        now = self.ledger.clock()
        self._usage, self._used_at = self.usage + seconds, now

    def decoded(self, seconds: float) -> None:
        """Records the time to decode an image, failed or not, over the number of decoders."""
        known = self._decode_seconds * self.ledger.decay(self._decoded_at, _COST_SECONDS)
        # The maximum, so that cheap files between costly ones do not hide them.
        self._decode_seconds, self._decoded_at = max(seconds, known), self.ledger.clock()
        self.charge(seconds)


class _Speed:
    """Time per image of one model, from its recent batches."""

    def __init__(self) -> None:
        self.seconds_per_image = 0.0
        self._batches: deque[tuple[float, float, int]] = deque(maxlen=_MAX_BATCHES)

    def add(self, now: float, seconds: float, images: int) -> None:
        self._batches.append((now, seconds / images, images))
        while len(self._batches) > 1 and self._batches[0][0] < now - _COST_SECONDS:
            self._batches.popleft()
        most = _OUTLIER * median_low(each for _, each, _ in self._batches)
        seconds = sum(min(each, most) * images for _, each, images in self._batches)
        self.seconds_per_image = seconds / sum(images for _, _, images in self._batches)


class _Overrun:
    """How much longer requests took than was predicted, while images queue."""

    def __init__(self) -> None:
        self._factor, self._count = 1.0, 0
        self._answers: deque[tuple[float, float]] = deque(maxlen=_MAX_ANSWERS)

    def add(self, now: float, ratio: float) -> None:
        self._answers.append((now, ratio))
        self._count += 1
        if self._count % _EVERY:
            return
        recent = sorted(each for at, each in self._answers if now - at <= _ANSWER_SECONDS)
        if len(recent) >= _MIN_ANSWERS:
            found = recent[int(_QUANTILE * len(recent))]
            self._factor = min(_MAX_OVERRUN, max(1.0, found))

    def factor(self, now: float) -> float:
        """The factor; 1 when nothing has queued lately."""
        known = self._answers and now - self._answers[-1][0] <= _ANSWER_SECONDS
        return self._factor if known else 1.0


class _Recent:
    """Accounts by the time of their last event, latest last."""

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
        """Whether another account had an event within ACTIVE_SECONDS."""
        latest = islice(reversed(self._times), 2)
        since = [self._times[each] for each in latest if each is not account]
        return bool(since) and now - since[0] <= ACTIVE_SECONDS


class Ledger:
    """The accounts of all clients, bounded in number, and the models' time per image."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.images = 0  # of all accounts in flight
        self.model_seconds = _INITIAL_SECONDS
        self._accounts: OrderedDict[str, Account] = OrderedDict()  # most recently seen last
        self._active, self._asking = _Recent(), _Recent()
        self._speeds: dict[str, _Speed] = {}
        self._overrun = _Overrun()

    @property
    def overrun(self) -> float:
        """Time that requests take while images queue, over that of the bottleneck; 1 or more."""
        return self._overrun.factor(self.clock())

    @property
    def seconds_per_image(self) -> float:
        """Service time of an image that is decoded faster than the models take it."""
        return self.model_seconds * self.overrun

    def account(self, caller: str) -> Account:
        """Returns the account of a client that sends a request, creating it if necessary."""
        account = self.look_up(caller)
        self._accounts[caller] = account
        self._accounts.move_to_end(caller)
        if len(self._accounts) > _MAX_ACCOUNTS:
            self._forget()
        return account

    def activate(self, account: Account) -> None:
        """Marks the client as active: it has images to analyse."""
        self._active.note(account, self.clock())

    def ask(self, account: Account) -> None:
        """Records a request of any kind."""
        self._asking.note(account, self.clock())

    def look_up(self, caller: str) -> Account:
        """Returns the account of a client, without storing a new one."""
        return self._accounts.get(caller) or Account(self)

    def is_alone(self, account: Account) -> bool:
        """Whether no other client has been active within ACTIVE_SECONDS."""
        return not self._active.has_other_than(account, self.clock())

    def is_only_asker(self, account: Account) -> bool:
        """Whether no other client has sent a request within ACTIVE_SECONDS."""
        return not self._asking.has_other_than(account, self.clock())

    def decay(self, since: float, seconds: float) -> float:
        """Exponential decay factor since a time, with `seconds` as the time constant."""
        return math.exp((since - self.clock()) / seconds)

    def observe(self, model: str, seconds: float, images: int = 1) -> None:
        """Records a batch of a model; `model_seconds` is the slower model's time per image."""
        now = self.clock()
        self._speeds.setdefault(model, _Speed()).add(now, seconds, images)
        self.model_seconds = max(each.seconds_per_image for each in self._speeds.values())

    def answered(self, seconds: float, predicted: float) -> None:
        """Records the time that a request took behind others, and what the bottleneck needs."""
        self._overrun.add(self.clock(), seconds / predicted)

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
    """Returns the account of the current request; outside of one, a placeholder."""
    return _current.get(_NOBODY)


@contextmanager
def serving(account: Account) -> Iterator[None]:
    """Makes an account the current one within the context."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)
