"""The service worker, with the names of the files that it stores."""

import json

from bentos.page.content import Content
from bentos.page.files import Files

_SCRIPT = "service_worker.js"
_LATER = "vendor/"
"""Decoders for some formats, a megabyte: stored by a browser once it needs them."""


def service_worker(files: Files) -> Content:
    """Returns the script; a new version of any file makes it another one."""
    stored = [name for name in files if not name.startswith((_SCRIPT, _LATER))]
    names = [f"web/{files.version}/{name}" for name in stored]
    facts = f"const VERSION = {json.dumps(files.version)};\nconst FILES = {json.dumps(names)};\n"
    return Content(facts.encode() + files[_SCRIPT].body, "text/javascript")
