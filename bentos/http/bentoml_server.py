"""Base class of services with a public port: connection limits, graceful shutdown, warm-up."""

import asyncio
import gc
import logging
from functools import cache
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException

from bentos.http.connections import guard, running_server
from bentos.http.drain import Drain, Signals
from bentos.http.middleware import RequestMiddleware
from bentos.inference.model import BENTOML_TIMEOUT_SECONDS
from bentos.process import heartbeat
from bentos.settings import get_settings

logger = logging.getLogger(__name__)

# BentoML's access log would contain client addresses and paths, and its metrics would have a label
# per path (trap 18); RequestMiddleware has both by route.
PUBLIC_OPTIONS: dict[str, Any] = {
    "workers": 1,
    "traffic": {"timeout": BENTOML_TIMEOUT_SECONDS},
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
}

_POLL_SECONDS = 0.02


@cache
def drain() -> Drain:
    """Returns the drain of this process."""
    settings = get_settings()
    return Drain(delay=settings.drain_delay_seconds, timeout=settings.drain_timeout_seconds)


class PublicService:
    """A service with a public port and runners that it depends on."""

    def middleware(self) -> RequestMiddleware:
        """Builds the ASGI app that handles every request."""
        raise NotImplementedError

    async def warm_up(self) -> None:
        """Sends the runners their first batches."""
        raise NotImplementedError

    async def ready(self) -> bool:
        """Whether the runners answer."""
        raise NotImplementedError

    @bentoml.on_startup
    async def take_over_the_server(self) -> None:
        """Installs connection limits, our middleware, draining signal handlers and logging."""
        logging.getLogger("bentos").setLevel(logging.INFO)  # BentoML sets others to WARNING
        if server := running_server():
            config = server.config
            if not config.loaded:
                config.load()
            guard(config, get_settings())
            # BentoML's app keeps only the lifespan; every request goes to ours.
            config.loaded_app = self.middleware()
            Signals(drain(), server).install()

    @bentoml.on_startup
    async def start_warm_up(self) -> None:
        """Starts the heartbeat and the warm-up, after which the service becomes ready."""
        gc.collect()
        gc.freeze()  # excludes imported modules from garbage collection pauses
        self._heartbeat = asyncio.create_task(heartbeat.beat())
        self._warm_up = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        # BentoML connects the dependencies only after the startup hooks.
        while not self._connected():
            await asyncio.sleep(_POLL_SECONDS)
        try:
            await self.warm_up()
        except Exception:
            logger.exception("the warm-up failed; the service will not become ready")

    def _connected(self) -> bool:
        try:
            return bentoml.get_current_service() is self
        except BentoMLException:
            return False

    async def __is_ready__(self) -> bool:
        return not drain().begun and self._connected() and await self.ready()
