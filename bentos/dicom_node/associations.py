"""Ends associations, also with peers that do not answer."""

from concurrent.futures import ThreadPoolExecutor

from pynetdicom import AE
from pynetdicom.association import Association

_SECONDS = 1.0
"""How long a peer may take to close the connection of an association that is aborted."""


def abort_all(entity: AE) -> None:
    """Aborts the associations of an entity at once, and stops its servers.

    pynetdicom waits for each peer as long as for an answer, in threads that keep the process.
    """
    entity.acse_timeout = _SECONDS
    found = entity.active_associations
    with ThreadPoolExecutor(max(1, len(found))) as threads:
        list(threads.map(Association.abort, found))
    entity.shutdown()
