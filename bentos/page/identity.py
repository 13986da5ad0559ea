"""Whose page it is, as markup: brand, icon, links to the statements, and who answers for it."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from bentos.page.theme import FOLDER, name_of
from bentos.portal.declaration import Party
from bentos.portal.folder import PAGES, Portal

_FAVICON = "favicon.ico"
_ICON = '<link rel="icon" href="web/icon.svg" type="image/svg+xml">'
_BRAND, _OPERATOR = "data-brand>", "<div data-operator></div>"
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
CARD = "card.png"
"""The picture that other sites show with a link to the page."""


class Identity:
    """Fills in what our own markup leaves to the portal."""

    def __init__(self, portal: Portal | None) -> None:
        self.name = name_of(portal)
        self._declared = portal.declaration if portal else None
        self._operator = "".join(self._parties())

    @property
    def card(self) -> str:
        """The path of the card among the page's files."""
        own = self._declared.card if self._declared else None
        return f"{FOLDER}/{own}" if own else CARD

    @property
    def icon(self) -> str:
        """The path of what stands for /favicon.ico."""
        own = self._declared.icon if self._declared else None
        return f"{FOLDER}/{own}" if own else _FAVICON

    @property
    def for_others(self) -> tuple[str, ...]:
        """Files that the page itself never asks for."""
        return (CARD, self.card, _FAVICON)

    def filled(self, markup: str, language: str, *, opens: bool = False) -> str:
        """Returns markup with brand, icon and operator; `opens` lets links open beside the page.

        Texts and addresses of files are filled in afterwards.
        """
        own = self._declared.icon if self._declared else None
        if own:
            kind = _TYPES[Path(own).suffix]
            markup = markup.replace(
                _ICON, f'<link rel="icon" href="web/{self.icon}" type="{kind}">'
            )
        markup = markup.replace(_BRAND, f"{_BRAND}{self._brand()}", 1)
        links = f"{_links(language, opens=opens)}{self._operator}"
        return markup.replace(_OPERATOR, f'<div class="operator">{links}</div>', 1)

    def _brand(self) -> str:
        name, declared = escape(self.name), self._declared
        logo = f"{FOLDER}/{declared.logo}" if declared and declared.logo else "icon.svg"
        if declared and declared.logo and declared.logo_has_name:
            return f'<img src="web/{logo}" alt="{name}" height="40">'
        return f'<img src="web/{logo}" alt="" height="32"> {name}'

    def _parties(self) -> Iterator[str]:
        declared = self._declared
        if not declared:
            return
        for key in ("contact", "controller", "data_protection_officer"):
            if party := getattr(declared, key):
                yield f'<p><span data-text="legal.{key}"></span>: {_reached(party)}</p>'


def _links(language: str, *, opens: bool) -> str:
    beside = ' target="_blank" rel="noopener"' if opens else ""
    links = " ".join(
        f'<a href="{page}?lang={language}" hreflang="{language}"{beside}'
        f' data-text="legal.{page}"></a>'
        for page in PAGES
    )
    return f'<nav data-label="legal.links">{links}</nav>'


def _reached(party: Party) -> str:
    parts = [escape(party.name), escape(party.address)]
    parts += [_link(f"mailto:{party.email}", party.email)] if party.email else []
    parts += (
        [_link(f"tel:{''.join(c for c in party.phone if c in '+0123456789')}", party.phone)]
        if (party.phone)
        else []
    )
    parts += [_link(party.url, party.url.removeprefix("https://").rstrip("/"))] if party.url else []
    return ", ".join(filter(None, parts))


def _link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>'
