"""Validates a manifest against the schema of its kind, for a version of Kubernetes.

Built-in kinds: the strict schemas of the package kubernetes-validate. Custom resources: schemas/,
written by crds.py. Unknown fields, and kinds without a schema, are errors.
"""

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.k8s import crd_readers, crds
from tests.k8s.rendering import Manifest, name_of

OLDEST = "1.27"
_SHIPPED = files("kubernetes_validate") / "kubernetes-json-schema"
_STRICT = ".0-local-strict"


def newest() -> str:
    """The newest version of Kubernetes that there are schemas of."""
    names = [folder.name for folder in _SHIPPED.iterdir() if folder.name.endswith(_STRICT)]
    versions = [name.removeprefix("v").removesuffix(_STRICT) for name in names]
    return max(versions, key=lambda version: int(version.partition(".")[2]))


def problems(manifest: Manifest, version: str) -> list[str]:
    """One line per schema violation; none for a valid manifest."""
    validator = _validator(manifest["apiVersion"], manifest["kind"], version)
    if validator is None:
        return [f"{name_of(manifest)}: no schema of {manifest['apiVersion']} {manifest['kind']}"]
    return [
        f"{name_of(manifest)}: {error.json_path}: {error.message}"
        for error in validator.iter_errors(manifest)
    ]


def is_defined(name: str) -> bool:
    """Whether the newest Kubernetes has a type, such as io.k8s.api.core.v1.Container."""
    definitions = _definitions(_SHIPPED / f"v{newest()}{_STRICT}")
    return name in definitions.contents(f"https://kubernetes.io{crd_readers.DEFINITIONS}")["$defs"]


@cache
def _validator(api_version: str, kind: str, version: str) -> Draft202012Validator | None:
    strict = _SHIPPED / f"v{version}{_STRICT}"
    group, _, level = api_version.rpartition("/")
    own = "-".join(part for part in (kind.lower(), group.partition(".")[0], level) if part)
    path = crds.path_of(api_version, kind)
    source: Traversable = path if path.exists() else strict / f"{own}.json"
    if not source.is_file():
        return None
    return Draft202012Validator(json.loads(source.read_text()), registry=_definitions(strict))


@cache
def _definitions(strict: Traversable) -> Registry:
    return (
        Resource.from_contents(json.loads((strict / "_definitions.json").read_text())) @ Registry()
    )
