"""What a person sees where a sign-in does not succeed, in all languages of the page."""

import json
from html import escape

from fastapi import Request
from fastapi.responses import HTMLResponse

from bentos.http.problems import RequestProblem
from bentos.settings import WEB

_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def are_wanted(request: Request) -> bool:
    """Whether the client shows pages, as browsers do."""
    return "text/html" in request.headers.get("accept", "").lower()


def page(problem: RequestProblem, public_url: str) -> HTMLResponse:
    """Returns the page of a problem, with its status."""
    seconds = problem.headers.get("Retry-After", "")
    texts = [json.loads(path.read_text()) for path in sorted((WEB / "locales").glob("*.json"))]
    sections = "".join(_section(each, problem.code, seconds, public_url) for each in texts)
    root = escape(public_url, quote=True)
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chestxray</title>
<link rel="stylesheet" href="{root}/web/styles/tokens.css">
<link rel="stylesheet" href="{root}/web/styles/page.css">
</head>
<body><main>{sections}</main></body>
</html>
"""
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, problem.status, headers | problem.headers)


def _section(texts: dict[str, str], code: str, seconds: str, public_url: str) -> str:
    language, title, advice, back = (
        escape(texts[name], quote=True)
        for name in (
            "language.code",
            f"problem.{code}.title",
            f"problem.{code}.advice",
            "signIn.back",
        )
    )
    advice = advice.replace("{seconds}", seconds)
    return (
        f'<section lang="{language}"><h2>{title}</h2><p>{advice}</p>'
        f'<p><a href="{escape(public_url, quote=True)}/">{back}</a></p></section>'
    )
