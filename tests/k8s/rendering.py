"""Renders the overlays, and every sensible combination of components, with kustomize."""

import itertools
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tools.kubectl import kubectl

K8S = ROOT / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))
ENGINES = ("knative", "kserve")
"""Overlays whose pods an engine makes."""
COMPONENTS = tuple(sorted(path.name for path in (K8S / "components").iterdir()))

Manifest = dict[str, Any]
Mix = tuple[str, ...]

_TIERS: list[Mix] = [(), ("classifier",)]
_GATEWAYS: list[Mix] = [(), ("autoscaling-hpa",)]
_CLASSIFIERS: list[Mix] = [
    (),
    ("autoscaling-keda",),
    ("autoscaling-keda", "keda-before-2.17"),
    ("autoscaling-keda", "scale-to-zero"),
]
_PROCESSORS: list[Mix] = [(), ("gpu",)]
LAST: Mix = ("architectures", "mesh", "openshift")
"""Components that change what others added, whatever these are."""
_ORDERED = set(itertools.chain(*_TIERS, *_GATEWAYS, *_CLASSIFIERS, *_PROCESSORS, LAST))
OTHERS: Mix = tuple(name for name in COMPONENTS if name not in _ORDERED)
"""Components that can be combined with all others, including monitoring and jobs."""
EVERYTHING: Mix = (*_TIERS[-1], *_GATEWAYS[-1], *_CLASSIFIERS[-1], *_PROCESSORS[-1], *OTHERS, *LAST)


def _mixes() -> list[Mix]:
    products = itertools.product(_TIERS, _GATEWAYS, _CLASSIFIERS, _PROCESSORS)
    scaled = [
        tier + hpa + keda + gpu for tier, hpa, keda, gpu in products if tier or not (keda or gpu)
    ]
    alone = [(name,) for name in (*OTHERS, *LAST)]
    return scaled + [mix + OTHERS for mix in scaled] + alone + [EVERYTHING]


MIXES = _mixes()


@cache
def overlay(name: str) -> list[Manifest]:
    """The objects of an overlay."""
    return build(K8S / "overlays" / name)


def write_mix(folder: Path, components: Sequence[str]) -> Path:
    """Writes a kustomization of the base with these components, like an overlay's."""
    here = os.path.relpath(K8S, folder)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{here}/base"],
        "components": [f"{here}/components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def build(folder: Path) -> list[Manifest]:
    """Runs kustomize. Raises CalledProcessError with its error output as a note."""
    done = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True)
    try:
        done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stderr)
        raise
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


def name_of_mix(mix: Mix) -> str:
    """By which the tests know it."""
    return "+".join(("base", *mix))


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [manifest for manifest in manifests if kind_of(manifest) in kinds]


def kind_of(manifest: Manifest) -> str:
    """The kind; Knative's Service is called KnativeService, as Kubernetes has another."""
    prefix = "Knative" if manifest["apiVersion"].startswith("serving.knative.dev/") else ""
    return f"{prefix}{manifest['kind']}"


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """The object of this kind and name, to which kustomize may have appended a hash."""
    (found,) = (
        each
        for each in of_kind(manifests, kind)
        if each["metadata"]["name"] == name or each["metadata"]["name"].startswith(f"{name}-")
    )
    return found


def name_of(manifest: Manifest) -> str:
    """Kind and name, for messages."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def pods(manifests: Sequence[Manifest]) -> list[tuple[str, Manifest]]:
    """The owner and specification of the pods of every workload."""
    return [
        (name_of(each), each["spec"]["template"]["spec"])
        for each in of_kind(manifests, "Deployment", "Job", "StatefulSet", "DaemonSet")
    ]
