"""Lists the licences of all that the service installs; fails where one is not allowed.

python -m tools.licences [ROOT]

What is allowed stands in pyproject.toml. Of an expression (SPDX) each part joined by AND must be
allowed, and one of those joined by OR; a package that states several licences must pass with each.
Ready-made checkers compare text, and let `MIT AND GPL-3.0-only` pass for its first word.
"""

import sys
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatch
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, Licensing
from packaging.utils import canonicalize_name

from tools import closure

_PROJECT = Path(__file__).parent.parent / "pyproject.toml"
_SPDX = Licensing()


def statements(distribution: Distribution) -> list[str]:
    """What the metadata says: an expression, or all that was usual before; `none` for nothing."""
    metadata = distribution.metadata
    if expressions := metadata.get_all("License-Expression"):
        return list(expressions)
    lines = [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
    # More than a line is the licence's text; alone, it is for a person to read.
    texts = [text for text in metadata.get_all("License", []) if text and "\n" not in text]
    return [*(line.rpartition(" :: ")[2] for line in lines), *texts] or ["none"]


def refused(distribution: Distribution) -> bool:
    """Whether a package states a licence, or none, that pyproject.toml does not allow."""
    policy = tomllib.loads(_PROJECT.read_text())["tool"]["chestxray"]["licences"]
    name, allowed = canonicalize_name(distribution.name), set(policy["allow"])
    for pattern, more in policy["exceptions"].items():
        if fnmatch(name, pattern):
            allowed.update(more)
    return not all(_is_allowed(each, allowed) for each in statements(distribution))


def _is_allowed(statement: str, allowed: set[str]) -> bool:
    if statement in allowed:
        return True
    try:
        return _holds(_SPDX.parse(statement), allowed)
    except ExpressionError:
        return False


def _holds(expression: Any, allowed: set[str]) -> bool:
    match expression:
        case _SPDX.AND():
            return all(_holds(part, allowed) for part in expression.args)
        case _SPDX.OR():
            return any(_holds(part, allowed) for part in expression.args)
        case _:
            return expression.render() in allowed


def table(distributions: Iterable[Distribution]) -> str:
    """A line for each package: name, version, licences."""
    return "".join(
        f"{each.name:<46} {each.version:<14} {'; '.join(statements(each))}\n"
        for each in distributions
    )


if __name__ == "__main__":
    found = closure.walk(*sys.argv[1:])
    installed = [package.distribution for _, package in sorted(found.items())]
    sys.stdout.write(table(installed))
    if names := [each.name for each in installed if refused(each)]:
        sys.exit(f"not allowed by [tool.chestxray.licences]: {', '.join(names)}")
