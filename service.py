"""The entry point of `bentoml serve service:Gateway`."""

from bentos.gateway.service import Gateway

__all__ = ["Gateway"]
