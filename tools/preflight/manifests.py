"""What rendered manifests ask of a cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tools.preflight.cluster import Json

ISSUER = "cert-manager.io/cluster-issuer"
"""The annotation by which cert-manager makes the certificate of a Gateway or an Ingress."""
_DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Manifests:
    """The objects that are to be applied."""

    objects: list[Json]

    def of_kind(self, *kinds: str) -> list[Json]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def names(self, kind: str) -> set[str]:
        """The names of the objects of a kind."""
        return {each["metadata"]["name"] for each in self.of_kind(kind)}

    @property
    def kinds(self) -> dict[str, set[str]]:
        """The kinds by API version."""
        found: dict[str, set[str]] = {}
        for each in self.objects:
            found.setdefault(each["apiVersion"], set()).add(each["kind"])
        return found

    @property
    def namespaces(self) -> set[str]:
        """The namespaces of the pods."""
        return {namespace_of(owner) for owner, _ in self.pods}

    @cached_property
    def pods(self) -> list[tuple[Json, Json]]:
        """Every workload with the specification of its pods."""
        workloads = self.of_kind("Deployment", "StatefulSet", "DaemonSet", "Job")
        return [(each, each["spec"]["template"]["spec"]) for each in workloads]

    @property
    def claims(self) -> list[Json]:
        """The claims, and the templates that a StatefulSet makes its claims of."""
        sets = self.of_kind("StatefulSet")
        templates = [one for each in sets for one in each["spec"].get("volumeClaimTemplates", [])]
        return self.of_kind("PersistentVolumeClaim") + templates

    @property
    def secrets(self) -> set[tuple[str, str]]:
        """Namespace and name of every Secret that a pod cannot start without."""
        found = set()
        for owner, pod in self.pods:
            needed = [*values(pod, "secretKeyRef"), *values(pod, "secretRef")]
            needed += [{"name": each["secretName"], **each} for each in values(pod, "secret")]
            needed += pod.get("imagePullSecrets", [])
            found |= {
                (namespace_of(owner), each["name"]) for each in needed if not each.get("optional")
            }
        return {each for each in found if each[1] not in self.names("Secret")}

    def keys_of(self, namespace: str, secret: str) -> set[str]:
        """The keys of a Secret that a container cannot start without."""
        return {
            each["key"]
            for owner, pod in self.pods
            for each in values(pod, "secretKeyRef")
            if namespace_of(owner) == namespace
            and each["name"] == secret
            and not each.get("optional")
        }

    @property
    def certificates(self) -> set[tuple[str, str]]:
        """Namespace and name of every certificate's Secret that nobody makes."""
        found = set()
        for each in self.of_kind("Gateway", "Ingress"):
            if ISSUER in each["metadata"].get("annotations", {}):
                continue
            references = [one for many in values(each, "certificateRefs") for one in many]
            names = {one["name"] for one in references} | set(values(each, "secretName"))
            found |= {(namespace_of(each), name) for name in names}
        return found

    @property
    def issuers(self) -> set[str]:
        """The ClusterIssuers that are to make certificates."""
        annotations = (
            each["metadata"].get("annotations", {}) for each in self.of_kind("Gateway", "Ingress")
        )
        return {each[ISSUER] for each in annotations if ISSUER in each}


def namespace_of(manifest: Json) -> str:
    """The namespace that an object goes into."""
    return str(manifest["metadata"].get("namespace", _DEFAULT_NAMESPACE))


def values(tree: Any, key: str) -> Iterator[Any]:
    """All values of a key in a tree, at any depth."""
    if isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        for each in tree.values():
            yield from values(each, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from values(each, key)
