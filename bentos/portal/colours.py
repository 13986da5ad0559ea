"""A portal's colours: whether text can be read in them, and the style sheet that they make."""

import re
from collections.abc import Iterator
from functools import cache

from bentos.portal import contrast
from bentos.portal.declaration import Colours, Schemes
from bentos.settings import WEB

SHEET = "styles/tokens.css"
"""The page's style sheet that has the shipped colours."""
_SCHEMES = ("light", "dark")
_SHIPPED = re.compile(r"--([\w-]+): var\(--light, (#[0-9a-f]{6})\) var\(--dark, (#[0-9a-f]{6})\);")
_TEXTS = (
    *((text, behind) for text in ("text", "muted") for behind in ("page", "surface", "sunken")),
    ("accent", "page"),
    ("accent", "surface"),
    ("on_accent", "accent"),
    ("alert", "surface"),
    ("alert", "alert_surface"),
)
"""Every colour of text, and what it may lie on."""
_CLASSES = tuple(
    (each, behind)
    for each in ("no_finding", "lung_opacity", "covid19")
    for behind in ("surface", "sunken")
)
"""The colours of bars and dots, which no portal sets, and what they lie on."""


def faults(declared: Schemes) -> Iterator[str]:
    """Yields a line for each text that could not be read, or bar that could not be seen."""
    for scheme in _SCHEMES:
        ours, all_ = _declared(declared, scheme), _all(declared, scheme)
        judged = [*((*each, contrast.LEAST) for each in _TEXTS)]
        judged += [(*each, contrast.LEAST_OF_GRAPHICS) for each in _CLASSES]
        for front, behind, least in judged:
            found = contrast.ratio(all_[front], all_[behind])
            if found >= least:
                continue
            named = [each for each in (front, behind) if each in ours] or [front]
            yield (
                f"colours.{scheme}.{named[0]}: {front} {all_[front]} on {behind} {all_[behind]} "
                f"has a contrast of {found:.2f}:1; {least}:1 is the least (WCAG 2.2); "
                f"{_remedy(front, behind, all_)}"
            )


def style_sheet(declared: Schemes) -> str:
    """Returns the rules that follow the shipped ones; empty where all colours are those."""
    changed = {*_declared(declared, "light"), *_declared(declared, "dark")}
    if not changed:
        return ""
    light, dark = (_all(declared, scheme) for scheme in _SCHEMES)
    names = [each for each in Colours.model_fields if each in changed]
    both = {each: f"var(--light, {light[each]}) var(--dark, {dark[each]})" for each in names}
    return f"""
/* The portal's colours. */
:root, .on-stage {{ {_rules(both)} }}
"""


def accent(declared: Schemes) -> str:
    """The colour of what browsers draw around an installed page."""
    return _all(declared, "light")["accent"]


def _rules(values: dict[str, str]) -> str:
    return " ".join(f"--{name.replace('_', '-')}: {value};" for name, value in values.items())


def _declared(declared: Schemes, scheme: str) -> dict[str, str]:
    table: Colours = getattr(declared, scheme)
    return table.model_dump(exclude_none=True)


def _all(declared: Schemes, scheme: str) -> dict[str, str]:
    return _shipped()[scheme] | _declared(declared, scheme)


@cache
def _shipped() -> dict[str, dict[str, str]]:
    found = _SHIPPED.findall((WEB / SHEET).read_text())
    return {
        scheme: {name.replace("-", "_"): values[index] for name, *values in found}
        for index, scheme in enumerate(_SCHEMES)
    }


def _remedy(front: str, behind: str, values: dict[str, str]) -> str:
    white = "#ffffff"
    is_darker = contrast.ratio(values[front], white) > contrast.ratio(values[behind], white)
    ways = ("darker", "lighter") if is_darker else ("lighter", "darker")
    if front not in Colours.model_fields:
        return f"make {behind} {ways[1]}"
    return f"make {front} {ways[0]} or {behind} {ways[1]}"
