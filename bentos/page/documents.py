"""The page's documents in each language: the page itself, with the texts and facts that it starts
with, and those that are only read.

A visitor sees the first words in the own language, and no request waits for another.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from pathlib import PurePath
from typing import Any

from fastapi import Request

from bentos.http import negotiation
from bentos.page.content import Content
from bentos.page.files import Files
from bentos.page.identity import Identity

_DOCUMENT, _ARTICLE, _START, _BEFORE = "index.html", "article.html", "main.js", "before.js"
_TEXT = re.compile(r'(<(\w+)[^<>]*\bdata-text="([\w.]+)"[^>]*>)[^<]*')
_TERMS = re.compile("COVID-19|COVID-like|X-rays?")
"""A line that ends after their hyphen is misread; `element.js` has the same."""
_TEXT_ELEMENTS = {"h1", "h2", "h3", "p", "span", "button", "li", "dt", "dd", "th", "td"}
_LABEL = re.compile(r'data-label="([\w.]+)"')
_ADDRESS = re.compile(r'\b(href|src)="web/')
_RELATIVE = re.compile(r'\b(href|src)="(?![#?/]|[a-z]+:)(\./)?')
_LIMITS = 'href="#limits"'


class Documents:
    """Renders the documents."""

    def __init__(
        self,
        files: Files,
        facts: Callable[[], Mapping[str, Any]],
        identity: Identity,
        *,
        public_url: str = "",
    ) -> None:
        """`facts` returns what the page's scripts need of the service, as JSON has it."""
        self._files, self._facts, self._identity = files, facts, identity
        self._root = f"{public_url}/" if public_url else ""
        self._texts: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}
        for name in files:
            if PurePath(name).match("locales/*.json"):
                texts = json.loads(files[name].body)
                self._texts[texts["language.code"]] = texts
                self._names[texts["language.code"]] = PurePath(name).stem
        self.render = lru_cache(maxsize=4 * len(self._texts))(self._render)

    @property
    def languages(self) -> list[str]:
        """Codes of the languages; the first is meant where a visitor speaks none of them."""
        return list(self._texts)

    def dictionary(self, language: str) -> str:
        """Returns the name of a language's dictionary by its code: pt of pt-BR."""
        return self._names[language]

    def code(self, dictionary: str) -> str:
        """Returns a language's code by the name of its dictionary."""
        return next(code for code, name in self._names.items() if name == dictionary)

    def spoken(self, request: Request) -> str:
        """Returns the language that a visitor asks for by ?lang=, or else by the browser's."""
        asked = request.query_params.get("lang", "")
        accepted = f"{asked},{request.headers.get('accept-language', '')}"
        return negotiation.language(accepted, self.languages)

    def text(self, language: str, key: str) -> str:
        """Returns a text. Raises KeyError."""
        return self._texts[language][key]

    def _render(self, language: str, examples: str, *, embed: tuple[str, ...] | None) -> Content:
        """Returns the page in a language, with these examples as JSON; in a frame for `embed`, the
        origins that are told what it shows."""
        texts = self._texts[language]
        started = {**self._facts(), "language": language, "texts": texts, "embed": embed}
        started["examples"] = json.loads(examples)
        started["languages"] = [
            {"code": code, "name": each["language.name"]} for code, each in self._texts.items()
        ]
        text = self._translated(_DOCUMENT, language, opens=embed is not None)
        if embed is not None:
            started["limits"] |= _NOT_IN_A_FRAME
            text = text.replace("<html ", "<html data-embed ", 1)
            whole = f'href="./?lang={language}#limits" target="_blank" rel="noopener"'
            text = text.replace(_LIMITS, whole, 1)
        links = self._described(language, "", texts["page.title"], texts["page.description"])
        links += self._modules()
        text = text.replace("</head>", f"{_lines(links)}{_data(started)}</head>", 1)
        return Content(text.encode(), "text/html")

    def article(self, language: str, title: str, html: str, *, path: str, written: str) -> Content:
        """Returns a document in the site's design whose text is in the language `written`."""
        texts = self._texts[language]
        note = ""
        if written != language:
            named = texts["legal.onlyIn"].replace("{name}", self._texts[written]["language.name"])
            note = f'<p class="muted">{escape(named)}</p>'
        body = f'{note}<article lang="{written}"><h1>{escape(title)}</h1>{html}</article>'
        full = f"{title} · {self._identity.name}"
        links = [f'<script src="web/{self._files.version}/{_BEFORE}"></script>']
        links += self._described(language, path, full, texts[f"legal.description.{path}"])
        made = self._filled(language, full, body, links)
        return Content(made.encode(), "text/html")

    def note(self, language: str, title: str, html: str, *, base: str) -> str:
        """Returns a document about something that did not succeed, at any address; `base` is that
        of the page."""
        body = f"<h1>{escape(title)}</h1>{html}"
        made = self._filled(language, title, body, [], start="./")
        return _RELATIVE.sub(rf'\1="{base}/', made)

    def _filled(
        self, language: str, title: str, body: str, links: list[str], *, start: str = ""
    ) -> str:
        made = self._translated(_ARTICLE, language)
        made = made.replace("<title></title>", f"<title>{escape(title)}</title>", 1)
        made = made.replace("</head>", f"{_lines(links)}</head>", 1)
        made = made.replace(
            "data-languages>", f"data-languages>{self._choices(language, start)}", 1
        )
        return made.replace("data-content>", f"data-content>{body}", 1)

    def _choices(self, language: str, start: str) -> str:
        """Returns links to a document in each language: the one that is shown, or `start`."""
        current = {language: ' aria-current="true"'}
        return " ".join(
            f'<a href="{start}?lang={code}" lang="{code}"{current.get(code, "")}>'
            f"{escape(each['language.name'])}</a>"
            for code, each in self._texts.items()
        )

    def _translated(self, name: str, language: str, *, opens: bool = False) -> str:
        """Returns our own markup with each text in its place. Raises KeyError."""
        texts = self._texts[language]
        made = self._files[name].body.decode().replace('lang="en"', f'lang="{language}"', 1)
        made = self._identity.filled(made, language, opens=opens)
        made = _TEXT.sub(lambda found: found[1] + _text(found[2], texts[found[3]]), made)
        made = _LABEL.sub(lambda f: f'{f[0]} aria-label="{escape(texts[f[1]])}"', made)
        return _ADDRESS.sub(rf'\1="web/{self._files.version}/', made)

    def _described(self, language: str, path: str, title: str, description: str) -> list[str]:
        """Returns what search engines and other sites read: languages, address and a card."""
        here = f"{self._root}{path}"
        shown = {"type": "website", "site_name": self._identity.name, "title": title}
        shown["description"] = description
        if "-" in language:  # a language alone is no locale
            shown["locale"] = language.replace("-", "_")
        if self._root:  # they read no relative addresses
            card = f"{self._root}web/{self._files.version}/{self._identity.card}"
            shown |= {"url": f"{here}?lang={language}", "image": card}
            shown["image:alt"] = self._identity.name
        links = [f'<meta name="description" content="{escape(description)}">']
        links += [f'<meta property="og:{k}" content="{escape(v)}">' for k, v in shown.items()]
        links.append(f'<link rel="canonical" href="{here}?lang={language}">')
        links += [
            f'<link rel="alternate" hreflang="{code}" href="{here}?lang={code}">'
            for code in self._texts
        ]
        first = here or (path or "./")
        return [*links, f'<link rel="alternate" hreflang="x-default" href="{first}">']

    def _modules(self) -> list[str]:
        version = self._files.version
        names = self._files.modules(_START)
        return [f'<link rel="modulepreload" href="web/{version}/{name}">' for name in names]


_NOT_IN_A_FRAME: dict[str, Any] = {
    "keeps": False,
    "retention_hours": None,
    "max_job_images": None,
    "max_job_bytes": None,
}
"""What needs a cookie, which browsers do not send from within a page of another site."""


def _lines(links: list[str]) -> str:
    return "".join(f"  {each}\n" for each in links)


def _data(facts: Mapping[str, Any]) -> str:
    """Returns a block of data, which no browser runs; `<` would end it."""
    text = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    return f'  <script type="application/json" id="service">{text}</script>\n'


def _text(element: str, text: str) -> str:
    """Returns a text as markup that keeps each term on one line, where an element may have it."""
    if element not in _TEXT_ELEMENTS:
        return escape(text)
    return _TERMS.sub(r'<span class="term">\g<0></span>', escape(text))
