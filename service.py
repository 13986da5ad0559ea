"""The entry point of `bentoml serve service:Gateway`."""

from bentos.start import settings_or_exit

settings_or_exit("bentoml")  # before what reads them at its import would show a traceback

from bentos.gateway.service import Gateway  # noqa: E402

__all__ = ["Gateway"]
