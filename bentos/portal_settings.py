"""The settings of a portal that deploys, embeds or calls the service."""

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bentos.settings_checks import printable

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:\d+)?|[a-z]+://\[[0-9a-f:]+\](:\d+)?")
"""As browsers spell it: in lower case, without a path."""
EVERY_ORIGIN = "*"


class PortalSettings(BaseModel):
    """Every setting of a portal."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    portal_folder: str = ""
    """Folder with a portal's name, logo, colours, contacts and legal texts, as docs/portal.md
    describes it. Empty: the page as it is shipped, with the statements that are true of this
    service."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API from a browser, as JSON: ["https://portal.example"].
    Cookies are never sent from there. ["*"] allows every origin, where no analyses are kept."""
    frame_ancestors: str = Field(default="'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may embed the page, as in the Content-Security-Policy, separated by spaces:
    https://portal.example. Those that are an exact origin are told height and result of /embed."""

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [each for each in origins if not _ORIGIN.fullmatch(each)]:
            raise ValueError(f"{wrong[0]!r} is no origin; write https://host or https://host:port")
        return origins

    @field_validator("frame_ancestors")
    @classmethod
    def _fits_into_a_header(cls, value: str) -> str:
        return printable(value)

    @property
    def embedders(self) -> list[str]:
        """The exact origins among the sites that may embed the page."""
        named = self.frame_ancestors.lower().split()
        return [each for each in named if each != EVERY_ORIGIN and _ORIGIN.fullmatch(each)]
