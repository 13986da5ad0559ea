"""The page's files as a portal changes them: dictionaries, colours, pictures and the manifest."""

import json
from collections.abc import Iterator
from pathlib import Path

from bentos.portal import colours
from bentos.portal.folder import DICTIONARIES, Portal
from bentos.settings import WEB

PRODUCT = "chestxray"
"""What the service is called where no portal names it."""
FOLDER = "portal"
"""Folder of a portal's pictures among the page's files."""
MANIFEST = "manifest.webmanifest"
_NAMED = ("page.title", "page.needsScript")
"""Shipped texts that name the service as visitors know it; elsewhere the software is meant."""


def name_of(portal: Portal | None) -> str:
    """Returns what the service is called."""
    return portal.declaration.name if portal else PRODUCT


def changed_files(portal: Portal | None) -> dict[str, bytes]:
    """Returns the files that differ from the shipped ones, by their paths; the dictionary of the
    language that is meant where a visitor speaks none comes first."""
    if not portal:
        return {}
    files = dict(_dictionaries(portal))
    files |= {f"{FOLDER}/{name}": data for name, data in portal.pictures.items()}
    rules = colours.style_sheet(portal.declaration.colours)
    files[colours.SHEET] = (WEB / colours.SHEET).read_bytes() + rules.encode()
    files[MANIFEST] = _manifest(portal)
    return files


def _dictionaries(portal: Portal) -> Iterator[tuple[str, bytes]]:
    first = portal.declaration.language
    paths = sorted((WEB / DICTIONARIES).glob("*.json"), key=lambda p: (p.stem != first, p.stem))
    for path in paths:
        texts = json.loads(path.read_text("utf-8"))
        texts |= {key: texts[key].replace(PRODUCT, portal.declaration.name) for key in _NAMED}
        texts |= portal.texts.get(path.stem, {})
        yield f"{DICTIONARIES}/{path.name}", json.dumps(texts, ensure_ascii=False).encode()


def _manifest(portal: Portal) -> bytes:
    declared = portal.declaration
    made = json.loads((WEB / MANIFEST).read_text("utf-8"))
    made |= {"name": declared.name, "short_name": declared.name}
    made["theme_color"] = made["background_color"] = colours.accent(declared.colours)
    if declared.icon:
        is_svg = Path(declared.icon).suffix == ".svg"
        kind = {"sizes": "any", "type": "image/svg+xml"} if is_svg else {"type": "image/png"}
        made["icons"] = [{"src": f"{FOLDER}/{declared.icon}"} | kind]
    return json.dumps(made, ensure_ascii=False).encode()
