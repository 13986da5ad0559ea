"""What can go wrong with what is stored."""


class StorageUnavailable(Exception):
    """The database or the object store does not answer, or is not ready for use."""
