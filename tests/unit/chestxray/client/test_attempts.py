"""When the client tries again, and for how long it waits."""

import pytest

from bentos.gateway.examples import problem
from bentos.http.codes import CODES
from chestxray.client import (
    ChestXrayError,
    ConnectionFailed,
    DeadlineExceeded,
    Problem,
    ProblemError,
    Retries,
    UnexpectedAnswer,
)
from chestxray.client.attempts import AGAIN, Attempts
from chestxray.client.structure import structured

LOST = ConnectionFailed("reset", lasting=False)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def highest(low: float, high: float) -> float:
    return high


def attempts(clock: Clock, retries: Retries | None = None, seconds: float = 60) -> Attempts:
    return Attempts(retries or Retries(), seconds, now=clock, draw=highest)


def overloaded(retry_after: float | None = None, code: str = "overloaded") -> ProblemError:
    return ProblemError(structured(Problem, problem(code)), retry_after=retry_after)


def test_pauses_double_up_to_a_limit(clock: Clock) -> None:
    trying = attempts(clock, Retries(tries=6, first_pause=0.5, longest_pause=3))

    pauses = [trying.begin() and trying.pause_after(LOST) for _ in range(5)]

    assert pauses == [0.5, 1, 2, 3, 3]


def test_pauses_are_drawn_from_zero_up() -> None:
    trying = Attempts(Retries(first_pause=0.5), 60)
    trying.begin()

    pauses = [trying.pause_after(LOST) for _ in range(200)]

    assert 0 <= min(pauses) < 0.1
    assert 0.4 < max(pauses) <= 0.5


def test_service_is_not_asked_before_the_time_it_names(clock: Clock) -> None:
    trying = Attempts(Retries(first_pause=0.5), 60, now=clock)
    trying.begin()

    pauses = [trying.pause_after(overloaded(7)) for _ in range(50)]

    assert 7 <= min(pauses) < max(pauses) <= 7.5


def test_last_error_is_raised_after_the_last_try(clock: Clock) -> None:
    trying = attempts(clock, Retries(tries=2))
    trying.begin()
    trying.pause_after(LOST)
    trying.begin()

    with pytest.raises(ConnectionFailed) as raised:
        trying.pause_after(LOST)

    assert raised.value is LOST


def test_pause_that_would_pass_the_deadline_is_not_begun(clock: Clock) -> None:
    trying = attempts(clock, seconds=5)
    trying.begin()
    error = overloaded(5)

    with pytest.raises(ProblemError) as raised:
        trying.pause_after(error)

    assert raised.value is error
    assert trying.pause_after(overloaded(4)) < 5


def test_each_try_has_the_time_that_is_left(clock: Clock) -> None:
    trying = attempts(clock, seconds=5)
    first = trying.begin()
    clock.seconds += 2

    assert (first, trying.begin()) == (5, 3)


def test_no_try_begins_after_the_deadline(clock: Clock) -> None:
    trying = attempts(clock, seconds=5)
    clock.seconds += 5

    with pytest.raises(DeadlineExceeded, match=r"within 5 s"):
        trying.begin()


def test_connection_lost_at_the_deadline_is_a_deadline(clock: Clock) -> None:
    trying = attempts(clock, seconds=5)
    trying.begin()
    clock.seconds += 5

    with pytest.raises(DeadlineExceeded) as raised:
        trying.pause_after(LOST)

    assert raised.value.__cause__ is LOST


def test_deadline_of_the_service_is_tried_again_while_time_is_left(clock: Clock) -> None:
    trying = attempts(clock, Retries(tries=2))
    late = overloaded(code="deadline-exceeded")
    trying.begin()
    assert trying.pause_after(late) > 0
    trying.begin()

    with pytest.raises(DeadlineExceeded) as raised:
        trying.pause_after(late)

    assert raised.value.__cause__ is late


@pytest.mark.parametrize(
    "error",
    [
        overloaded(1, "not-a-frontal-chest-xray"),
        overloaded(code="analysis-failed"),
        ConnectionFailed("certificate", lasting=True),
        UnexpectedAnswer("HTML"),
        DeadlineExceeded("late"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_that_would_come_again_is_raised_at_once(clock: Clock, error: ChestXrayError) -> None:
    trying = attempts(clock)
    trying.begin()

    with pytest.raises(type(error)) as raised:
        trying.pause_after(error)

    assert raised.value is error


def test_codes_that_advise_to_try_again_are_tried_again() -> None:
    public = {name: code for name, code in CODES.items() if code.public}
    advised = {
        name
        for name, code in public.items()
        if any(words in code.advice.lower() for words in ("try again", "send the request again"))
    }
    # Those two say in other words that the same request may succeed.
    advised |= {"header-timeout", "not-ready"}
    lasting = {"key-ended", "last-admin-key"}  # conflicts without Retry-After

    tried = {name for name, code in public.items() if code.status in AGAIN}
    assert tried - lasting == advised


def test_conflict_is_tried_again_where_the_service_says_when(clock: Clock) -> None:
    for retry_after, code in ((5.0, "request-in-progress"), (None, "last-admin-key")):
        trying, error = attempts(clock), overloaded(retry_after, code)
        trying.begin()
        if retry_after:
            assert trying.pause_after(error) >= retry_after
            continue
        with pytest.raises(ProblemError):
            trying.pause_after(error)


@pytest.mark.parametrize(
    "values", [{"tries": 0}, {"first_pause": -1}, {"first_pause": 2, "longest_pause": 1}]
)
def test_senseless_retries_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="tries must be"):
        Retries(**values)  # type: ignore[arg-type]
