"""The page's document in each language, with the texts and facts that it starts with.

A visitor sees the first words in the own language, and no request waits for another.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from pathlib import PurePath
from typing import Any

from bentos.page.content import Content
from bentos.page.files import Files

_DOCUMENT, _START, _NOT_FOUND = "index.html", "main.js", "not_found.html"
_TEXT = re.compile(r'(data-text="([\w.]+)"[^>]*>)[^<]*')
_LABEL = re.compile(r'data-label="([\w.]+)"')
_DESCRIPTION = re.compile(r'content=""( data-content="([\w.]+)")')
_ADDRESS = re.compile(r'\b(href|src)="web/')


class Documents:
    """Renders the document."""

    def __init__(self, files: Files, facts: Callable[[], Mapping[str, Any]]) -> None:
        """`facts` returns what the page's scripts need of the service, as JSON has it."""
        self._files, self._facts = files, facts
        self._texts: dict[str, dict[str, str]] = {}
        for name in files:
            if PurePath(name).match("locales/*.json"):
                texts = json.loads(files[name].body)
                self._texts[texts["language.code"]] = texts
        self.render = lru_cache(maxsize=2 * len(self._texts))(self._render)

    @property
    def languages(self) -> list[str]:
        """Codes of the languages; the first is meant where a visitor speaks none of them."""
        return list(self._texts)

    def _render(self, language: str, examples: str) -> Content:
        """Returns the document in a language, with these examples as JSON."""
        texts = self._texts[language]
        started = {**self._facts(), "language": language, "texts": texts}
        started["examples"] = json.loads(examples)
        started["languages"] = [
            {"code": code, "name": each["language.name"]} for code, each in self._texts.items()
        ]
        text = self._translated(_DOCUMENT, language)
        text = text.replace("</head>", f"{self._links()}{_data(started)}</head>", 1)
        return Content(text.encode(), "text/html")

    def not_found(self, language: str, *, prefix: str) -> str:
        """Returns the document for an address where there is nothing, at any depth below the
        prefix."""
        made = self._translated(_NOT_FOUND, language, base=f"{prefix}/")
        return made.replace('href="./"', f'href="{prefix}/"')

    def _translated(self, name: str, language: str, *, base: str = "") -> str:
        """Returns our own markup with each text in its place. Raises KeyError."""
        texts = self._texts[language]
        made = self._files[name].body.decode().replace('lang="en"', f'lang="{language}"', 1)
        made = _TEXT.sub(lambda found: found[1] + escape(texts[found[2]]), made)
        made = _LABEL.sub(lambda f: f'{f[0]} aria-label="{escape(texts[f[1]])}"', made)
        made = _DESCRIPTION.sub(lambda f: f'content="{escape(texts[f[2]])}"{f[1]}', made)
        return _ADDRESS.sub(rf'\1="{base}web/{self._files.version}/', made)

    def _links(self) -> str:
        links = [
            f'<link rel="alternate" hreflang="{code}" href="?lang={code}">' for code in self._texts
        ]
        links.append('<link rel="alternate" hreflang="x-default" href="./">')
        links += [
            f'<link rel="modulepreload" href="web/{self._files.version}/{name}">'
            for name in self._files.modules(_START)
        ]
        return "".join(f"  {each}\n" for each in links)


def _data(facts: Mapping[str, Any]) -> str:
    """Returns a block of data, which no browser runs; `<` would end it."""
    text = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    return f'  <script type="application/json" id="service">{text}</script>\n'
