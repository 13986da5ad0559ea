"""What can be wrong with a portal's folder."""


class PortalError(Exception):
    """The folder is not what it should be; each fault names file, key and remedy."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
