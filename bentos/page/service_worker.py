"""The service worker, with the names of the files that it stores."""

import json
from collections.abc import Collection

from bentos.page.content import Content
from bentos.page.files import Files

_SCRIPT = "service_worker.js"
_LATER = "vendor/"
"""Decoders for some formats, a megabyte: stored by a browser once it needs them."""


def service_worker(files: Files, *, without: Collection[str]) -> Content:
    """Returns the script, which stores all files but these and the decoders; a new version of any
    file makes it another one."""
    left_out = {_SCRIPT, *without}
    stored = [each for each in files if each not in left_out and not each.startswith(_LATER)]
    names = [f"web/{files.version}/{name}" for name in stored]
    facts = f"const VERSION = {json.dumps(files.version)};\nconst FILES = {json.dumps(names)};\n"
    return Content(facts.encode() + files[_SCRIPT].body, "text/javascript")
