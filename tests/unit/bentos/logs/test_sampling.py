"""A flood of similar lines is cut to a few and their number."""

import io
import logging
from collections.abc import Callable

import pytest

from bentos.logs.lines import JsonFormat
from bentos.logs.sampling import ACCEPTED_LINES, LINES, SECONDS, SampledHandler, Sampler
from tests.unit.bentos.logs.records import parse, record

SHED = {"route": "/v1/analyses", "outcome": "shed"}
FLOOD = 300


class FakeTimer:
    """A timer that ends when the test says so."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.end = call
        self.runs = False

    def start(self) -> None:
        self.runs = True

    def cancel(self) -> None:
        self.runs = False


class Log:
    """A handler with its output, a clock and its timers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.output = io.StringIO()
        self.timers: list[FakeTimer] = []
        self.handler = SampledHandler(self.output, Sampler(lambda: self.now), self._timer)
        self.handler.setFormatter(JsonFormat("gateway"))

    def _timer(self, call: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(call))
        return self.timers[-1]

    def write(self, count: int, message: str = "refused", **about: str) -> None:
        for _ in range(count):
            self.handler.handle(record(message, **about))

    @property
    def lines(self) -> list[dict[str, object]]:
        return [parse(line) for line in self.output.getvalue().splitlines()]


@pytest.fixture
def log() -> Log:
    return Log()


def test_first_lines_of_a_second_are_written(log: Log) -> None:
    log.write(LINES, **SHED)

    assert len(log.lines) == LINES
    assert log.timers == []


def test_flood_is_cut_and_its_number_is_written_when_the_second_ends(log: Log) -> None:
    log.write(FLOOD, **SHED)
    assert len(log.lines) == LINES

    (timer,) = log.timers
    assert timer.runs
    timer.end()

    *first, summary = log.lines
    assert len(first) == LINES
    assert summary["left_out"] == FLOOD - LINES
    assert summary["message"] == (
        f"{FLOOD - LINES} similar lines were left out in the last second: /v1/analyses shed"
    )
    assert {name: summary[name] for name in SHED} == SHED


def test_flood_that_goes_on_is_cut_in_every_second(log: Log) -> None:
    for second in range(3):
        log.now = second * SECONDS
        log.write(FLOOD, **SHED)
    log.timers[-1].end()

    left_out = [line["left_out"] for line in log.lines if "left_out" in line]
    assert left_out == 3 * [FLOOD - LINES]
    assert len(log.lines) == 3 * (LINES + 1)


def test_number_is_written_before_the_first_line_of_the_next_second(log: Log) -> None:
    log.write(LINES + 1, **SHED)
    log.now = SECONDS
    log.write(1, "another")

    assert [line.get("left_out") for line in log.lines[-2:]] == [1, None]
    assert not log.timers[0].runs


@pytest.mark.parametrize(
    "other", [{"route": "/"}, {"outcome": "client_error"}, {"message": "another"}]
)
def test_flood_hides_no_line_of_another_kind(log: Log, other: dict[str, str]) -> None:
    log.write(FLOOD, **SHED)
    log.write(1, **SHED | other)

    assert len(log.lines) == LINES + 1


def test_lines_with_other_arguments_are_similar(log: Log) -> None:
    for number in range(FLOOD):
        log.handler.handle(record("refused %d", number))

    assert len(log.lines) == LINES


def test_more_lines_of_accepted_requests_are_written(log: Log) -> None:
    log.write(FLOOD, route="/v1/analyses", outcome="accepted")

    assert LINES < len(log.lines) == ACCEPTED_LINES


def test_every_reason_why_a_process_ends_is_written(log: Log) -> None:
    for number in range(FLOOD):
        log.handler.handle(record("cannot start: %d", number, level=logging.CRITICAL))

    assert len(log.lines) == FLOOD


def test_end_of_the_process_writes_what_was_left_out(log: Log) -> None:
    log.write(LINES + 2, **SHED)
    log.handler.close()

    assert log.lines[-1]["left_out"] == 2


def test_real_timer_writes_the_number_without_another_line() -> None:
    output = io.StringIO()
    handler = SampledHandler(output)
    handler.setFormatter(JsonFormat("gateway"))

    for _ in range(LINES + 3):
        handler.handle(record())
    timer = handler._timer
    assert timer is not None
    timer.join(30)  # type: ignore[attr-defined]

    assert parse(output.getvalue().splitlines()[-1])["left_out"] == 3
