"""Writes schemas/: the schemas of custom resources, from packages that contain them as types.

python -m tests.k8s.crds

No package carries the definitions of today's releases as they are, so crd_readers.py reads the
types of Python and TypeScript clients that are generated from them. Needs npm and pip; the tests
do not.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.k8s.crd_readers import (
    METADATA,
    Schema,
    from_openapi_classes,
    from_pydantic,
    from_typescript,
)

SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True)
class Package:
    """A package, the release whose types it has, how they are read, and the kinds taken from it."""

    name: str
    version: str
    release: str
    path: str
    read: Callable[[Path, str], Schema]
    api_version: str
    kinds: tuple[str, ...]
    prefix: str = ""
    """What the package puts before the name of a kind."""

    @property
    def origin(self) -> str:
        registry, licence = ("npm", "MIT, see LICENSE") if self.is_npm else ("PyPI", "Apache-2.0")
        source = f"{registry}'s {self.name} {self.version} ({licence})"
        return f"{self.release} (Apache-2.0), from {source}"

    @property
    def is_npm(self) -> bool:
        return self.name.startswith("@")


PACKAGES = (
    Package(
        "cloudcoil.models.keda",
        "2.20.2.1",
        "KEDA 2.20.2",
        "cloudcoil/models/keda/v1alpha1.py",
        from_pydantic,
        "keda.sh/v1alpha1",
        ("ScaledObject", "TriggerAuthentication"),
    ),
    Package(
        "cloudcoil.models.prometheus-operator",
        "0.93.1.1",
        "prometheus-operator 0.93.1",
        "cloudcoil/models/prometheus_operator/v1.py",
        from_pydantic,
        "monitoring.coreos.com/v1",
        ("PodMonitor", "Probe", "PrometheusRule", "ServiceMonitor"),
    ),
    Package(
        "cloudcoil.models.knative-serving",
        "1.23.0.1",
        "Knative Serving 1.23.0",
        "cloudcoil/models/knative_serving/serving_knative_dev/v1.py",
        from_pydantic,
        "serving.knative.dev/v1",
        ("Service",),
    ),
    Package(
        "kserve",
        "0.21.0",
        "KServe 0.21.0",
        "kserve/models",
        from_openapi_classes,
        "serving.kserve.io/v1beta1",
        ("InferenceService",),
        "V1beta1",
    ),
    # The package does not say its release; 1.5 is the first with ListenerSet and TLSRoute in v1.
    Package(
        "@kubernetes-models/gateway-api",
        "2.0.0",
        "Gateway API 1.5, experimental fields included",
        "package/gateway.networking.k8s.io/v1",
        from_typescript,
        "gateway.networking.k8s.io/v1",
        ("Gateway", "HTTPRoute"),
    ),
    Package(
        "@kubernetes-models/gateway-api",
        "2.0.0",
        "Gateway API 1.5, experimental fields included",
        "package/gateway.networking.k8s.io/v1beta1",
        from_typescript,
        "gateway.networking.k8s.io/v1beta1",
        ("ReferenceGrant",),
    ),
    Package(
        "cloudcoil.models.cert-manager",
        "1.21.1.1",
        "cert-manager 1.21.1",
        "cloudcoil/models/cert_manager/v1.py",
        from_pydantic,
        "cert-manager.io/v1",
        ("ClusterIssuer",),
    ),
)


def path_of(api_version: str, kind: str) -> Path:
    """Where the schema of a kind is."""
    return SCHEMAS / f"{api_version.replace('/', '_')}_{kind}.json"


def write(package: Package, folder: Path) -> None:
    """Downloads a package and writes the schemas of its kinds."""
    _unpack(package, folder)
    for kind in package.kinds:
        schema = package.read(folder / package.path, package.prefix + kind)
        path_of(package.api_version, kind).write_text(_render(package, kind, schema))


def _unpack(package: Package, folder: Path) -> None:
    if package.is_npm:
        fetch = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        unpack = ["tar", "-xzf", "*.tgz"]
    else:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        # Only the types are read, so a package for a newer Python serves as well.
        newer = ["--only-binary=:all:", "--ignore-requires-python"]
        fetch = [*pip, *newer, f"{package.name}=={package.version}"]
        unpack = [sys.executable, "-m", "zipfile", "-e", "*.whl", "."]
    subprocess.run(fetch, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.iterdir()
    command = [archive.name if part.startswith("*") else part for part in unpack]
    subprocess.run(command, cwd=folder, check=True)


def _render(package: Package, kind: str, schema: Schema) -> str:
    properties = schema["properties"]
    properties.pop("status", None)
    properties |= {"apiVersion": {"const": package.api_version}, "kind": {"const": kind}}
    properties["metadata"] = METADATA
    head = {"$comment": package.origin, "$id": f"https://kubernetes.io/api/{package.api_version}"}
    required = {"required": ["apiVersion", "kind", "metadata", "spec"]}
    return json.dumps(head | schema | required, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for each in PACKAGES:
        with tempfile.TemporaryDirectory() as scratch:
            write(each, Path(scratch))
