"""Delivers to webhooks in a process that a test kills.

python -m tests.service.webhook_gateway DATA_FOLDER
"""

import asyncio
import sys
from datetime import timedelta

from bentos.history.history import History
from bentos.settings import Settings
from bentos.webhooks import deliveries
from bentos.webhooks.webhooks import Webhooks
from tests.service.receivers import LOOPBACK


async def main(folder: str) -> None:
    settings = Settings(data_folder=folder, webhooks=True, webhook_networks=(LOOPBACK,))
    history = History(settings)
    await history.prepare()
    await Webhooks(history, settings, is_stopping=lambda: False).run()


if __name__ == "__main__":
    deliveries.LEASE = timedelta(seconds=2)  # the test does not wait for a minute
    asyncio.run(main(sys.argv[1]))
