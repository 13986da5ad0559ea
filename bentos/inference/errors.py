"""Why a model server did not answer as it should."""

from bentos.metric_labels import PodFailureReason


class BackendError(Exception):
    """A model server failed. The message is in our own words, never the server's."""

    def __init__(
        self, reason: PodFailureReason, detail: str, *, retry_seconds: float = 1.0
    ) -> None:
        """`retry_seconds` is how long a server that is busy asks to be left alone."""
        super().__init__(detail)
        self.reason, self.retry_seconds = reason, retry_seconds
