"""Writes schemas/: schemas of custom resources, from npm packages that contain them.

python -m tests.k8s.crds

Each package has the schemas of a release that is older than most clusters: manifests that fit it
fit newer ones, which only add fields. Later versions of the packages contain programs instead,
hence these. Needs npm; the tests do not.
"""

import json
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent / "schemas"
METADATA = {"$ref": "/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
"""As the schemas of Kubernetes itself refer to it."""


@dataclass(frozen=True)
class Package:
    """An npm package, whose definitions it carries, and the kinds that are taken from it."""

    name: str
    definitions: str
    folder: str
    kinds: tuple[str, ...]


PACKAGES = (
    Package(
        "@kubernetes-models/keda@0.3.2",
        "KEDA 2.10.1",
        "keda.sh/v1alpha1",
        ("ScaledObject", "TriggerAuthentication"),
    ),
    Package(
        "@kubernetes-models/prometheus-operator@4.0.0",
        "prometheus-operator 0.57.0",
        "monitoring.coreos.com/v1",
        ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
    ),
    Package(
        "@kubernetes-models/gateway-api@0.5.1",
        "Gateway API 1.0.0, experimental fields included",
        "gateway.networking.k8s.io/v1",
        ("Gateway", "HTTPRoute"),
    ),
)


def path_of(api_version: str, kind: str) -> Path:
    """Where the schema of a kind is."""
    return SCHEMAS / f"{api_version.replace('/', '_')}_{kind}.json"


def write(package: Package, folder: Path) -> None:
    """Takes a package's schemas and its licence."""
    pack = ["npm", "pack", "--silent", package.name]
    done = subprocess.run(pack, cwd=folder, check=True, capture_output=True, text=True)
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        (SCHEMAS / "LICENSE").write_text(_read(archive, "LICENSE"))
        for kind in package.kinds:
            source = _read(archive, f"{package.folder}/{kind}.js")
            path_of(package.folder, kind).write_text(_render(package, source))


def _read(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(f"package/{name}")
    assert file is not None, name
    return file.read().decode()


def _render(package: Package, source: str) -> str:
    literal = re.search(r"^const schema = (\{.*?^\});", source, re.M | re.S)
    assert literal is not None
    schema = closed(json.loads(literal.group(1)))
    schema["properties"]["metadata"] = METADATA
    origin = f"{package.definitions} (Apache-2.0), from npm's {package.name} (MIT, see LICENSE)"
    head = {"$comment": origin, "$id": f"https://kubernetes.io/api/{package.folder}"}
    return json.dumps(head | schema, indent=1) + "\n"


def closed(schema: Any) -> Any:
    """The same schema, where no object takes a field that is not listed."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


if __name__ == "__main__":
    for each in PACKAGES:
        with tempfile.TemporaryDirectory() as scratch:
            write(each, Path(scratch))
