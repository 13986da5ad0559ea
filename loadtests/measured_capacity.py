"""What one replica does on the machine that `python -m loadtests.capacity` measured last."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Capacity:
    """A throughput of min(clients / seconds_alone, images_per_second), and what it takes."""

    machine: str
    images_per_second: float
    seconds_alone: float  # of a request while there is no other
    knee_clients: float  # where more of them wait for each other
    cpu_seconds_per_image: float  # at the knee and beyond
    megabytes: float  # of all processes
    gateway_cpu_seconds_with_tier: float  # per image that a classifier pod classifies
    tier_cpu_seconds_per_image: float  # of the pod

    def with_cost(self, cpu_seconds_per_image: float) -> float:
        """Images per second of a replica that uses its cores alike, at another cost per image."""
        return self.images_per_second * self.cpu_seconds_per_image / cpu_seconds_per_image


def read(path: Path = FILE) -> Capacity:
    """Reads a capacity. Raises OSError, or TypeError for a key that is missing or unknown."""
    return Capacity(**tomllib.loads(path.read_text()))
