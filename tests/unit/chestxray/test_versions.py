"""Versions of packages, in an installation and in a bento."""

from chestxray.versions import version_of


def test_version_is_that_of_the_installed_package() -> None:
    assert version_of("numpy").count(".") == 2


def test_package_that_is_not_installed_is_unknown() -> None:
    assert version_of("no-such-package") == "unknown"
