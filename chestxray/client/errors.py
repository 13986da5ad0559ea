"""Exception tree of the client.

ChestXrayError
├── ProblemError
├── DeadlineExceeded
├── ConnectionFailed
└── UnexpectedAnswer

An image that cannot be opened raises OSError, as `open` does.
"""

from chestxray.client.results import Problem


class ChestXrayError(Exception):
    """There is no result."""


class ProblemError(ChestXrayError):
    """The service, or a proxy in front of it, refused the request.

    `code` is stable, and /docs/problems explains it; a proxy's answer has none. `retry_after` is
    in seconds.
    """

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.code or problem.title}: {problem.detail}")
        self.problem, self.retry_after = problem, retry_after

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def title(self) -> str:
        return self.problem.title

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def found(self) -> str | None:
        return self.problem.found

    @property
    def request_id(self) -> str:
        return self.problem.request_id


class DeadlineExceeded(ChestXrayError):
    """There was no answer within the timeout of the call."""


class ConnectionFailed(ChestXrayError):
    """The service could not be reached, or the connection ended before the answer did."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting
        """Whether another try would fail alike, such as where a certificate is not trusted."""


class UnexpectedAnswer(ChestXrayError):
    """The answer is not what the service's API describes: another program may have answered."""
