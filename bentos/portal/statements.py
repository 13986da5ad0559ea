"""Privacy, terms and accessibility: the portal's own words, or what is true of this service without
any."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bentos.portal import markdown
from bentos.portal.folder import LANGUAGES, Portal
from bentos.portal.markdown import Statement
from bentos.settings import Settings

_SHIPPED = Path(__file__).parent / "texts"


def statement(
    page: str, language: str, *, portal: Portal | None, settings: Settings
) -> tuple[Statement, str]:
    """Returns the statement of a page, and the language that it is in.

    A portal's own text is in force: in another language than the visitor's it is shown rather than
    ours.
    """
    own = portal.statements if portal else {}
    for each in (language, *_preferred(portal)):
        if found := own.get((page, each)):
            return found, each
    return _shipped(page, language, portal, settings), language


def _preferred(portal: Portal | None) -> list[str]:
    first = portal.declaration.language if portal else None
    return [each for each in (first, *LANGUAGES) if each]


def _shipped(page: str, language: str, portal: Portal | None, settings: Settings) -> Statement:
    declared = portal.declaration if portal else None
    template = _environment().get_template(f"{page}.{language}.md")
    return markdown.statement(template.render(settings=settings, portal=declared))


@cache
def _environment() -> Environment:
    # What is rendered is Markdown, which is made safe afterwards, and no HTML.
    return Environment(
        loader=FileSystemLoader(_SHIPPED),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
