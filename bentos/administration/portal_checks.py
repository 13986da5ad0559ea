"""Whether a portal's folder can be shown, and its addresses are complete."""

from collections.abc import Iterator

from bentos.administration.findings import Finding, fault, ok, warning
from bentos.portal import folder
from bentos.portal.errors import PortalError
from bentos.portal.folder import LANGUAGES, PAGES, Portal
from bentos.settings import Settings
from bentos.settings_checks import variable_of

_CHECK = "portal"


def check(settings: Settings) -> Iterator[Finding]:
    """Reads the folder as a start does; without one there is nothing to check."""
    try:
        portal = folder.read(settings.portal_folder)
    except PortalError as error:
        for each in error.faults:
            found, _, remedy = each.rpartition("; ")
            yield fault(_CHECK, found or each, remedy if found else "see docs/portal.md")
        return
    if not portal:
        return
    yield ok(_CHECK, f"{portal.declaration.name}, from {settings.portal_folder}")
    yield from _missing(portal)
    if not settings.public_url:
        found = "other sites cannot show a picture and an address of the page"
        yield warning(_CHECK, found, f"set {variable_of('public_url')}")


def _missing(portal: Portal) -> Iterator[Finding]:
    declared = portal.declaration
    for key in ("contact", "controller", "data_protection_officer"):
        if not getattr(declared, key):
            yield warning(_CHECK, f"it names no {key}", f"add [{key}] to portal.toml")
    for page in PAGES:
        given = [each for each in LANGUAGES if (page, each) in portal.statements]
        if given and (missing := [each for each in LANGUAGES if each not in given]):
            found = f"{page} is there in {', '.join(given)} only"
            remedy = f"add {', '.join(f'{page}.{each}.md' for each in missing)}"
            yield warning(_CHECK, found, remedy)
