"""The settings of a portal."""

from pathlib import Path

import pytest

from bentos.settings import Settings


@pytest.mark.parametrize(
    ("ancestors", "exact"),
    [
        ("'self'", []),
        ("'none'", []),
        ("*", []),
        ("https:", []),
        ("https://*.portal.example", []),
        ("http://localhost:*", []),
        ("https://portal.example", ["https://portal.example"]),
        ("'self' https://A.example:8443 https://*.b.example", ["https://a.example:8443"]),
    ],
)
def test_only_exact_origins_are_told_of_results(ancestors: str, exact: list[str]) -> None:
    assert Settings(frame_ancestors=ancestors).embedders == exact


def test_every_origin_is_not_allowed_where_there_are_cookies(tmp_path: Path) -> None:
    assert Settings(cors_origins=("*",)).cors_origins == ("*",)
    with pytest.raises(ValueError, match="CORS_ORIGINS must name origins"):
        Settings(cors_origins=("*",), data_folder=str(tmp_path))
    Settings(cors_origins=("https://portal.example",), data_folder=str(tmp_path))
