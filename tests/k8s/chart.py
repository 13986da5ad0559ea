"""Renders the Helm chart, and takes off what alone may differ from kustomize's objects."""

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.k8s import rendering
from tests.k8s.rendering import K8S, Manifest, name_of, of_kind
from tools.helm import helm

CHART = K8S / "chart"
EXAMPLES = CHART / "examples"
CHECKSUM = "checksum/settings"
OF_STORE = "checksum/object-store"
OF_SIGN_IN = "checksum/sign-in"
OF_HELM = {"app.kubernetes.io/managed-by", "helm.sh/chart"}

Values = dict[str, Any]
ON: Values = {"enabled": True}


def run(*arguments: str | Path, values: Values | None = None) -> str:
    """What helm prints, with these values. Raises CalledProcessError with its errors as a note."""
    given = ["--values", "-"] if values is not None else []
    done = subprocess.run(
        [helm(), *arguments, *given],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
    )
    try:
        done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stdout + done.stderr)
        raise
    return done.stdout


def template(
    values: Values, *, namespace: str = "chestxray", chart: Path = CHART
) -> list[Manifest]:
    """The objects of a release."""
    printed = run("template", "chestxray", chart, "--namespace", namespace, values=values)
    return [each for each in yaml.load_all(printed, yaml.CSafeLoader) if each]


def example(name: str) -> Values:
    """The values of an example."""
    return dict(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()))


def keda(**changes: Any) -> Values:
    """Values of a tier that KEDA scales."""
    return {"tier": {"enabled": True, "autoscaling": {"keda": {"enabled": True} | changes}}}


def as_in_both(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The objects of either tool by kind and name, without what only that tool makes.

    Of kustomize that is the Namespace, and the hash in the names of the ConfigMaps `settings`,
    `object-store` and `sign-in`; of Helm its two labels of an object, and the annotations of pods
    that stand for the hashes.
    """
    compared = [
        _without_hash(_without_marks_of_helm(copy.deepcopy(each)))
        for each in manifests
        if each["kind"] != "Namespace"
    ]
    assert len({name_of(each) for each in compared}) == len(compared)
    return {name_of(each): each for each in compared}


def _without_marks_of_helm(manifest: Manifest) -> Manifest:
    for label in OF_HELM:
        manifest["metadata"]["labels"].pop(label, None)
    if manifest["kind"] in ("Deployment", "StatefulSet"):
        pod = manifest["spec"]["template"]["metadata"]
        for checksum in (CHECKSUM, OF_STORE, OF_SIGN_IN):
            pod.get("annotations", {}).pop(checksum, None)
        if not pod.get("annotations", True):
            del pod["annotations"]
    return manifest


def _without_hash(manifest: Manifest) -> Manifest:
    references = [
        source["configMapRef"]
        for _, pod in rendering.pods([manifest])
        for container in pod["containers"]
        for source in container.get("envFrom", [])
    ]
    for named in references + [each["metadata"] for each in of_kind([manifest], "ConfigMap")]:
        named["name"] = re.sub(
            r"^(settings|object-store|sign-in)-[a-z0-9]{10}$", r"\1", named["name"]
        )
    return manifest
