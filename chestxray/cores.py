"""How many processor cores this process may use, by its affinity and by its cgroup's CPU quota.

`docker run --cpus 2` on a machine with 64 cores sets a quota and no affinity. A library that starts
a thread for every core would then stall all of them for most of each period. A quota in force may
be that of any enclosing cgroup: Kubernetes sets one for the pod and one for the container.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_MEMBERSHIP, _MOUNT = Path("proc/self/cgroup"), Path("sys/fs/cgroup")
_UNLIMITED = math.inf


def usable_cores(root: Path = _ROOT) -> int:
    """The number of cores to start threads or processes for, at least 1.

    A part of a core counts as one, as Kubernetes rounds a CPU limit. `root` has proc/ and sys/.
    """
    affinity = len(os.sched_getaffinity(0))
    quota = min(_quotas(root), default=_UNLIMITED)
    return max(1, math.ceil(min(affinity, quota)))


def _quotas(root: Path) -> Iterator[float]:
    """The quota of every cgroup around this process, in cores."""
    for controllers, group in _memberships(root):
        if not controllers:
            mounted = [root / _MOUNT, root / _MOUNT / "unified"]  # alone, or beside version 1
            read = _quota_of_version_2
        elif "cpu" in controllers.split(","):
            mounted, read = [root / _MOUNT / "cpu"], _quota_of_version_1
        else:
            continue
        for folder in (mount / each for mount in mounted for each in _with_parents(group)):
            try:
                yield read(folder)
            except (OSError, ValueError):
                continue  # not mounted here, or a cgroup outside of this container


def _memberships(root: Path) -> list[tuple[str, str]]:
    """The controllers and the path of every cgroup of this process; version 2 names none."""
    try:
        lines = (root / _MEMBERSHIP).read_text().splitlines()
    except OSError:
        return []
    return [
        (controllers, group) for _, controllers, group in (line.split(":", 2) for line in lines)
    ]


def _with_parents(group: str) -> list[str]:
    """A cgroup and those that enclose it, up to the one that is mounted, relative to it."""
    path = PurePosixPath(group.lstrip("/"))
    return [str(each) for each in (path, *path.parents) if ".." not in each.parts]


def _quota_of_version_2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return _UNLIMITED if quota == "max" else int(quota) / int(period)


def _quota_of_version_1(folder: Path) -> float:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    period = int((folder / "cpu.cfs_period_us").read_text())
    return _UNLIMITED if quota < 0 else quota / period
