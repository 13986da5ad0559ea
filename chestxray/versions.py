"""Versions of installed packages."""

from importlib.metadata import PackageNotFoundError, version


def version_of(package: str) -> str:
    """The version of a package, or `unknown`: a bento has our code, but not as a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
