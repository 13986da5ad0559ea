"""Legal texts can do nothing but be read."""

import pytest

from bentos.portal import markdown


def test_text_has_its_title_apart() -> None:
    made = markdown.statement(
        "# Privacy & more\n\nA *text* of\n\n| a | b |\n| - | - |\n| 1 | 2 |\n"
    )

    assert made.title == "Privacy & more"
    assert "<h1" not in made.html
    assert "<em>text</em>" in made.html
    assert "<table>" in made.html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick='x()'>b</b>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "[a](vbscript:x)",
        "[a](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "![a](https://tracker.example/x.png)",
        '[a](https://x.example "\\"onmouseover=alert(1)")',
        "[a]: javascript:alert(1)\n\n[a]",
    ],
)
def test_nothing_in_a_text_runs_or_is_loaded(text: str) -> None:
    html = markdown.statement(f"# Title\n\n{text}").html

    for bad in ("<script", "<img", "<b ", 'href="javascript', 'href="data', 'href="vb', 'href="fi'):
        assert bad not in html.lower()
    assert ' onmouseover="' not in html
    assert " onmouseover=alert" not in html


@pytest.mark.parametrize("text", ["", "text", "## Second", "- # in a list"])
def test_text_without_a_title_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not begin with its title"):
        markdown.statement(text)
