"""A clock that tests advance."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds since an arbitrary moment."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
