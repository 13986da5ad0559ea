"""What can go wrong with kept analyses."""

from bentos.database.errors import StorageUnavailable


class CannotDecrypt(StorageUnavailable):
    """A picture's key is not configured, or its bytes are not what was encrypted under its name."""


class StorageFull(StorageUnavailable):
    """All kept pictures together are at their limit."""


class TooManyKept(Exception):
    """One caller keeps as many analyses as it may."""


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request."""


class StillInProgress(Exception):
    """The first request with this idempotency key has not ended."""
