"""The page's scripts, styles and texts, under an address that changes with them.

Relative imports stay within the address, so a browser keeps every file for good, and a new version
of the page never meets an old file.
"""

import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bentos.page.content import Content
from bentos.settings import SHIPPED_EXAMPLES

_IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?\bfrom "\./([\w.]+)";""", re.MULTILINE)


class Files:
    """All files of a folder but the example images, in memory."""

    def __init__(self, folder: Path, changed: Mapping[str, bytes]) -> None:
        """`changed` files, by their paths, come first and replace those of the folder."""
        shipped = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.parent != SHIPPED_EXAMPLES
        }
        files = {**changed, **shipped, **changed}
        self._contents = {
            name: Content(data, _media_type(Path(name))) for name, data in files.items()
        }
        digests = "".join(f"{name} {each.digest}\n" for name, each in self._contents.items())
        self.version = hashlib.sha256(digests.encode()).hexdigest()[:12]

    def __getitem__(self, name: str) -> Content:
        """Returns a file by its path within the folder. Raises KeyError."""
        return self._contents[name]

    def __contains__(self, name: str) -> bool:
        return name in self._contents

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def modules(self, name: str) -> list[str]:
        """Returns a script and all that it imports from the start, so that none waits for
        another."""
        found, left = [name], [name]
        while left:
            imported = _IMPORT.findall(self[left.pop()].body.decode())
            new = [each for each in dict.fromkeys(imported) if each not in found]
            found += new
            left += new
        return found


def _media_type(path: Path) -> str:
    return _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path)[0] or _UNKNOWN


_UNKNOWN = "application/octet-stream"
_MEDIA_TYPES = {
    ".js": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
}
"""Those that the system's table may have otherwise, or not at all."""
