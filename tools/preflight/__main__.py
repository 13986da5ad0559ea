"""python -m tools.preflight k8s/overlays/production [--without gpu]

A line for each thing that the manifests need: ok, missing with what to do, or unknown where this
user may not look or nobody can. Exits with 1 if anything is missing. It only reads, and needs
nothing but kubectl: the command in KUBECTL, or the one on PATH.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.preflight.checks import CHECKS
from tools.preflight.cluster import Cluster, CommandFailed, NotAllowed
from tools.preflight.findings import Finding, missing, unknown
from tools.preflight.manifests import Manifests


def main() -> int:
    """Prints the findings; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.preflight",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="what kubectl kustomize builds")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=sorted(CHECKS),
        help="a check to leave out, such as gpu where nodes with a GPU come only on demand",
    )
    flags = parser.parse_args()
    cluster = Cluster(tuple(shlex.split(os.environ.get("KUBECTL", "kubectl"))))
    found = []
    for finding in findings(cluster, flags.folder, flags.without):
        sys.stdout.write(f"{finding}\n")
        found.append(finding)
    lacking = sum(each.status == "missing" for each in found)
    sys.stdout.write(f"{lacking} missing\n" if lacking else "nothing is missing\n")
    return bool(lacking)


def findings(cluster: Cluster, folder: Path, without: list[str]) -> Iterator[Finding]:
    """Runs all checks, in the order in which one mends what they find."""
    try:
        manifests = Manifests(cluster.render(folder))
        cluster.get("/version")
    except (CommandFailed, NotAllowed) as error:
        yield missing("a cluster and manifests", str(error))
        return
    for name, check in CHECKS.items():
        if name in without:
            continue
        try:
            yield from check(manifests, cluster)
        except (CommandFailed, NotAllowed) as error:
            yield unknown(name, str(error))


if __name__ == "__main__":
    sys.exit(main())
