"""What a person sees where a sign-in does not succeed."""

from html import escape

from fastapi import Request
from fastapi.responses import HTMLResponse

from bentos.http.problems import RequestProblem
from bentos.page.documents import Documents

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def are_wanted(request: Request) -> bool:
    """Whether the client shows pages, as browsers do."""
    return "text/html" in request.headers.get("accept", "").lower()


def page(
    request: Request, problem: RequestProblem, documents: Documents, *, public_url: str
) -> HTMLResponse:
    """Returns the page of a problem in the visitor's language, with its status."""
    spoken = documents.spoken(request)
    title, advice, back = (
        documents.text(spoken, key)
        for key in (
            f"problem.{problem.code}.title",
            f"problem.{problem.code}.advice",
            "signIn.back",
        )
    )
    advice = advice.replace("{seconds}", problem.headers.get("Retry-After", ""))
    html = f'<p>{escape(advice)}</p><p><a href="./">{escape(back)}</a></p>'
    headers = {
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "Content-Language": spoken,
        "Vary": "Accept, Accept-Language",
    }
    text = documents.note(spoken, title, html, base=public_url)
    return HTMLResponse(text, problem.status, headers | problem.headers)
