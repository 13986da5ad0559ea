"""Legal texts: Markdown to HTML that can do nothing but be read."""

from dataclasses import dataclass

from markdown_it import MarkdownIt

# Raw HTML is shown as text, and links may not be javascript:, data: or file:. Pictures could only
# come from another host, which the page's policy forbids.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@dataclass(frozen=True)
class Statement:
    """A legal text in one language."""

    title: str
    html: str
    """All below the title."""


def statement(text: str) -> Statement:
    """Renders a text whose first line is its title, `# Privacy`. Raises ValueError."""
    tokens = _MARKDOWN.parse(text)
    if [each.type for each in tokens[:1]] != ["heading_open"] or tokens[0].tag != "h1":
        raise ValueError('does not begin with its title; write "# ..." on the first line')
    html = _MARKDOWN.renderer.render(tokens[3:], _MARKDOWN.options, {})
    return Statement(title=tokens[1].content.strip(), html=html)
