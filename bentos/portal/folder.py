"""Reads a portal's folder: its declaration, pictures, texts and statements, all of it checked."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from bentos.portal import colours, declaration, markdown
from bentos.portal.declaration import Declaration, Language
from bentos.portal.errors import PortalError
from bentos.portal.markdown import Statement
from bentos.settings import WEB

PAGES = ("privacy", "terms", "accessibility")
"""The statements that every service has."""
LANGUAGES: tuple[str, ...] = get_args(Language)
DICTIONARIES = "locales"
FIXED = ("language.", "disclaimer.")
"""Beginnings of the keys that no portal changes: what programs call a language, and what this
service is not."""
_MOST_BYTES = 512 * 1024
_PLACEHOLDER = re.compile(r"{(\w+)}")
_SIGNATURES = {".png": (b"\x89PNG\r\n\x1a\n",), ".svg": (b"<svg", b"<?xml", b"<!--")}


@dataclass(frozen=True)
class Portal:
    """What a folder says."""

    declaration: Declaration
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """By the names of their files."""
    texts: Mapping[str, dict[str, str]] = field(default_factory=dict)
    """What changes of a language's dictionary."""
    statements: Mapping[tuple[str, str], Statement] = field(default_factory=dict)
    """By page and language."""


def read(folder: str) -> Portal | None:
    """Reads a folder; None if none is named. Raises PortalError with every fault."""
    if not folder:
        return None
    place = Path(folder)
    if not place.is_dir():
        raise PortalError(f"{place}: there is no such folder; make it, or set another")
    declared = declaration.read(place)
    faults = [f"{place / declaration.FILE}: {each}" for each in colours.faults(declared.colours)]
    faults += _unknown_files(place)
    portal = Portal(
        declared,
        pictures=_pictures(place, declared, faults),
        texts=_dictionaries(place, faults),
        statements=_statements(place, faults),
    )
    if faults:
        raise PortalError(*faults)
    return portal


def _unknown_files(place: Path) -> Iterator[str]:
    """Names what looks like a text and would never be shown."""
    pages = [f"{page}.{language}.md" for page in PAGES for language in LANGUAGES]
    dictionaries = [f"{DICTIONARIES}/{language}.json" for language in LANGUAGES]
    found = [each.name for each in place.glob("*.md")]
    found += [f"{DICTIONARIES}/{each.name}" for each in place.glob(f"{DICTIONARIES}/[!.]*")]
    for name in sorted(found):
        if name not in (known := [*pages, *dictionaries]):
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the names are {', '.join(known)}"
            yield f"{place / name}: no page shows a file of this name; {hint}"


def _pictures(place: Path, declared: Declaration, faults: list[str]) -> dict[str, bytes]:
    found = {}
    for key in ("logo", "icon", "card"):
        if not (name := getattr(declared, key)):
            continue
        where = f"{place / declaration.FILE}: {key}: {name}"
        try:
            data = (place / name).read_bytes()
        except OSError as error:
            faults.append(f"{where} cannot be read ({error.strerror}); put it into this folder")
            continue
        if len(data) > _MOST_BYTES:
            faults.append(f"{where} has {len(data)} bytes; {_MOST_BYTES} is the most")
        elif not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_SIGNATURES[Path(name).suffix]):
            faults.append(f"{where} is no {Path(name).suffix[1:].upper()}; save it as one")
        found[name] = data
    return found


def _dictionaries(place: Path, faults: list[str]) -> dict[str, dict[str, str]]:
    found = {}
    for language in LANGUAGES:
        path = place / DICTIONARIES / f"{language}.json"
        if not path.exists():
            continue
        shipped = json.loads((WEB / DICTIONARIES / path.name).read_text("utf-8"))
        try:
            changed = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: is no JSON: {error}; mend that line")
            continue
        if not isinstance(changed, dict):
            faults.append(f'{path}: must be an object such as {{"nav.try": "Test"}}')
            continue
        for key, text in changed.items():
            faults += [f"{path}: {key}: {each}" for each in _faults_of(key, text, shipped)]
        found[language] = changed
    return found


def _faults_of(key: str, text: Any, shipped: Mapping[str, str]) -> Iterator[str]:
    if key not in shipped:
        near = get_close_matches(key, shipped, n=1)
        hint = f"did you mean {near[0]}?" if near else "web/locales has all of them"
        yield f"there is no such key; {hint}"
    elif key.startswith(FIXED):
        yield "no portal changes this text; remove the key"
    elif not isinstance(text, str) or not text.strip():
        yield "must be a text that is not empty"
    else:
        known = set(_PLACEHOLDER.findall(shipped[key]))
        if other := sorted(set(_PLACEHOLDER.findall(text)) - known):
            have = f"has {', '.join(sorted(known))}" if known else "has none"
            yield f"has an unknown placeholder {{{other[0]}}}; this text {have}"


def _statements(place: Path, faults: list[str]) -> dict[tuple[str, str], Statement]:
    found = {}
    for page in PAGES:
        for language in LANGUAGES:
            path = place / f"{page}.{language}.md"
            if not path.exists():
                continue
            try:
                found[page, language] = markdown.statement(path.read_text("utf-8"))
            except (OSError, ValueError) as error:
                faults.append(f"{path}: {error}")
    return found
