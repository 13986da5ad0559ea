"""The service's bill of materials: a CycloneDX document of its packages and its models.

python -m tools.sbom FILE [ROOT]

cyclonedx-py describes every package of this environment and takes every optional dependency for a
real one; the closure says which of them the service has, and which needs which.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from chestxray import checkpoints
from tools import closure

_PROJECT = Path(__file__).parent.parent
_VERSION = SchemaVersion.V1_7  # the newest that cyclonedx-py writes


def render(requirement: str = closure.ROOT) -> str:
    """The document as JSON. Raises ValueError where it breaks the standard's schema."""
    bom, packages = _environment(), closure.walk(requirement)
    root = bom.metadata.component
    assert root is not None, "cyclonedx-py was told of pyproject.toml"
    components = {canonicalize_name(each.name): each for each in (*bom.components, root)}
    models = [_model(path) for path in sorted(_PROJECT.glob("bentos/*/weights*.safetensors"))]
    bom.components = [*(components[name] for name in packages if components[name] != root), *models]
    bom.dependencies = []
    for name, package in packages.items():
        bom.register_dependency(components[name], [components[each] for each in package.needs])
    bom.register_dependency(root, models)
    for component in bom.components:
        # Validating each address takes a tenth of a second, and the package's URL leads to them.
        component.external_references = []
    document = make_outputter(bom, OutputFormat.JSON, _VERSION).output_as_string(indent=2)
    if error := JsonStrictValidator(_VERSION).validate_str(document):
        raise ValueError(f"the bill of materials is no CycloneDX: {error}")
    return document + "\n"


def _environment() -> Bom:
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate", "--of", "JSON"]
    command += ["--sv", _VERSION.to_version(), "--pyproject", str(_PROJECT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, check=True)
    return cast(Bom, Bom.from_json(json.loads(done.stdout)))  # type: ignore[attr-defined]


def _model(path: Path) -> Component:
    card = checkpoints.read_card(path)
    digest = checkpoints.digest(path).removeprefix("sha256:")
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=card.name,
        version=card.version,
        bom_ref=f"{card.name}=={card.version}",
        description=f"{card.architecture}: {', '.join(card.labels)}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        licenses=[DisjunctiveLicense(name="Research use only")],
    )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(*sys.argv[2:]))
