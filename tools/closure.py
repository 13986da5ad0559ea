"""What a bento installs, all the way down, as it is installed here.

python -m tools.closure [ROOT]

Walks the extra `serving` in this environment's metadata, so that the one environment of a developer
will do: its other packages are not reached.
"""

import sys
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = "chestxray[serving]"


@dataclass(frozen=True)
class Package:
    """An installed package, and the names of the packages that it needs itself."""

    distribution: Distribution
    needs: set[NormalizedName] = field(default_factory=set)

    @property
    def pin(self) -> str:
        """Without the local part of a version, such as `+cpu`, that no database knows."""
        version = Version(self.distribution.version).public
        return f"{canonicalize_name(self.distribution.name)}=={version}"


def walk(root: str = ROOT) -> dict[NormalizedName, Package]:
    """The root and all that it needs. Raises PackageNotFoundError where one is not installed."""
    found: dict[NormalizedName, Package] = {}
    waiting, seen = [Requirement(root)], set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = Package(distribution(requirement.name))
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = _needed(found[name], extra)
                # An extra may be made of others of the same package.
                found[name].needs.update({canonicalize_name(r.name) for r in needed} - {name})
                waiting += needed
    return found


def _needed(package: Package, extra: str) -> list[Requirement]:
    every = map(Requirement, package.distribution.requires or ())
    return [r for r in every if r.marker is None or r.marker.evaluate({"extra": extra})]


def pins(root: str = ROOT) -> str:
    """The packages with their versions as a file of requirements, without the root itself."""
    own = canonicalize_name(Requirement(root).name)
    return "".join(f"{each.pin}\n" for name, each in sorted(walk(root).items()) if name != own)


if __name__ == "__main__":
    sys.stdout.write(pins(*sys.argv[1:]))
