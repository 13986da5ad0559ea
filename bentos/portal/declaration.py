"""The file portal.toml: what a portal declares about itself."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bentos.portal.errors import PortalError

FILE = "portal.toml"
Language = Literal["en", "es", "pt"]
"""Names of the dictionaries in web/locales."""
_MOST_CHARACTERS = 200
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_MAIL = re.compile(r"[^@\s<>()\[\]]+@[A-Za-z0-9.-]+")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[\w.~!$&'*+,;=:@%/?#-]*)?", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,30}")
_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(svg|png)")


def _matching(pattern: re.Pattern[str], remedy: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"is {text!r}; {remedy}")
        return text

    return AfterValidator(check)


def _is_line(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _MOST_CHARACTERS:
        raise ValueError(f"write one line of 1 to {_MOST_CHARACTERS} characters")
    return text.strip()


Line = Annotated[str, AfterValidator(_is_line)]
Colour = Annotated[str, _matching(_COLOUR, 'write a colour as "#1a2b3c"')]
Picture = Annotated[str, _matching(_PICTURE, "name a .svg or .png file in this folder")]


class _Table(BaseModel):
    """A table of the file; a key that it does not have is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Party(_Table):
    """Somebody who answers for the portal, and how to reach them."""

    name: Line
    email: Annotated[str, _matching(_MAIL, "write an address such as help@portal.example")] = ""
    phone: Annotated[str, _matching(_PHONE, "write a number such as +55 61 3315-0000")] = ""
    url: Annotated[str, _matching(_URL, "write an address such as https://portal.example/")] = ""
    address: Line | Literal[""] = ""


class Colours(_Table):
    """Colours of one scheme; those that are not here are the shipped ones."""

    page: Colour | None = None
    surface: Colour | None = None
    sunken: Colour | None = None
    line: Colour | None = None
    text: Colour | None = None
    muted: Colour | None = None
    accent: Colour | None = None
    on_accent: Colour | None = None
    alert: Colour | None = None
    alert_surface: Colour | None = None


class Schemes(_Table):
    """The colours of both schemes; a visitor's system chooses, or the visitor."""

    light: Colours = Colours()
    dark: Colours = Colours()


class Declaration(_Table):
    """All that portal.toml may say."""

    name: Line
    language: Language | None = None
    logo: Picture | None = None
    logo_has_name: bool = False
    icon: Picture | None = None
    card: Picture | None = None
    contact: Party | None = None
    controller: Party | None = None
    data_protection_officer: Party | None = None
    colours: Schemes = Field(default_factory=Schemes)


def read(folder: Path) -> Declaration:
    """Reads the file. Raises PortalError."""
    path = folder / FILE
    try:
        return Declaration.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise PortalError(
            f"{path}: there is no such file; docs/portal.md says what to write"
        ) from (error)
    except (OSError, UnicodeDecodeError) as error:
        raise PortalError(
            f"{path}: cannot be read as UTF-8 ({error}); let this user read it"
        ) from (error)
    except tomllib.TOMLDecodeError as error:
        raise PortalError(f"{path}: is no TOML: {error}; mend that line") from error
    except ValidationError as error:
        raise PortalError(*(f"{path}: {_explained(each)}" for each in error.errors())) from error


def _explained(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "extra_forbidden":
            near = get_close_matches(str(error["loc"][-1]), _keys(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"keys are {', '.join(_keys())}"
            return f"{key}: there is no such key; {hint}"
        case "missing":
            return f"{key}: is missing; add it"
        case "value_error":
            return f"{key}: {_reason(error)}"
        case _:
            return f"{key}: {error['msg'].lower()}; see docs/portal.md"


def _reason(error: ErrorDetails) -> Any:
    return error.get("ctx", {}).get("error", error["msg"])


def _keys() -> list[str]:
    tables = (Declaration, Schemes, Party, Colours)
    return [name for table in tables for name in table.model_fields]
