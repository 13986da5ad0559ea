"""The client needs httpx alone, and comes with its types."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

HEAVY = ("numpy", "PIL", "pydicom", "pydantic", "safetensors", "bentos", "chestxray.results")


def with_dependencies(name: str) -> set[str]:
    """The names of a package and of what it needs, as installed here."""
    found, left = set[str](), [name]
    while left:
        if (each := left.pop()) not in found:
            found.add(each)
            needed = map(Requirement, distribution(each).requires or ())
            left += [r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built of a copy with the packages' code and no weights."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    (source / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for path in [*ROOT.glob("chestxray/**/*.py"), ROOT / "chestxray" / "py.typed"]:
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--quiet", "--wheel-dir", str(out), str(source)], check=True, timeout=120
    )
    return next(out.glob("*.whl"))


def test_client_imports_nothing_but_httpx_and_the_standard_library(
    wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    for name in with_dependencies("httpx"):
        package = distribution(name)
        for file in package.files or ():
            top = file.parts[0]
            if not top.startswith("..") and not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(Path(str(package.locate_file(top))))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import chestxray.client as client\n"
        "client.Client('http://localhost'); client.AsyncClient('http://localhost')\n"
        "print(client.__file__, *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    file, *modules = done.stdout.split()
    assert file.startswith(str(tmp_path))
    assert not set(HEAVY) & set(modules)


def test_wheel_has_the_marker_of_its_types(wheel: Path) -> None:
    assert "chestxray/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_project_asks_for_httpx_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert [Requirement(line).name for line in project["dependencies"]] == ["httpx"]


def test_client_imports_httpx_and_what_needs_no_package_only() -> None:
    """Also within functions, where the interpreter would not have come."""
    imported = set()
    for path in (ROOT / "chestxray" / "client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    others = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}

    assert "httpx" in others
    assert {name for name in others if not name.startswith("chestxray.client")} == {
        "httpx",
        "chestxray.related",
        "chestxray.versions",
    }
