"""Webhooks, opened over the same database as jobs."""

from collections.abc import Callable, Sequence

from bentos.history.history import History
from bentos.settings import Settings
from bentos.webhooks.addresses import Network
from bentos.webhooks.connecting import PinnedBackend
from bentos.webhooks.deliverer import Deliverer
from bentos.webhooks.deliveries import Deliveries
from bentos.webhooks.endpoints import Endpoints
from bentos.webhooks.sending import Sender


class Webhooks:
    """The tables of webhooks and deliveries, and what empties the latter where that is on."""

    def __init__(
        self, history: History, settings: Settings, *, is_stopping: Callable[[], bool]
    ) -> None:
        self._history = history
        keyring = history.job_images.keyring
        self.endpoints = Endpoints(history.database, keyring)
        self.deliveries = Deliveries(history.database)
        self.networks: Sequence[Network] = settings.webhook_networks
        self.deliverer: Deliverer | None = None
        """None where the operator has not turned webhooks on: nothing connects to any receiver."""
        if settings.webhooks:
            sender = Sender(PinnedBackend(self.networks))
            self.deliverer = Deliverer(self.deliveries, sender, keyring, is_stopping=is_stopping)

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        if self.deliverer:
            await self.deliverer.run()
