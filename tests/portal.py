"""A portal's folder: the repository's example, and copies that a test changes."""

import shutil
from pathlib import Path

from tests.conftest import ROOT

EXAMPLE = ROOT / "k8s" / "components" / "portal" / "example"
NAME = "Portal Saúde Exemplo"


def copy(folder: Path) -> Path:
    """Copies the example."""
    return Path(shutil.copytree(EXAMPLE, folder / "portal"))


def write(folder: Path, declaration: str = 'name = "Portal"\n', **files: str) -> Path:
    """Makes a folder of a declaration and texts by their names, `__` for a dot."""
    made = folder / "portal"
    (made / "locales").mkdir(parents=True)
    (made / "portal.toml").write_text(declaration)
    for name, text in files.items():
        (made / name.replace("__", ".").replace("locales_", "locales/")).write_text(text)
    return made
