"""How settings are read and judged: every fault is one line, which names the variable to mend."""

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from chestxray import quantised
from chestxray.errors import CheckpointError

PREFIX = "CHESTXRAY_"
INTERNAL = frozenset(
    {
        "CHESTXRAY_HEARTBEAT",
        "CHESTXRAY_DRAINED_MARKER",
        "CHESTXRAY_PROCESS",
        "CHESTXRAY_LOG_DESCRIPTOR",
        "CHESTXRAY_REVISION",
    }
)
"""What the supervisor tells its processes, and the image its commit; no operator sets it."""

_SERVICE_LINK = re.compile(r"\w+_SERVICE_(HOST|PORT(_\w+)?)|\w+_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
"""What Kubernetes sets for a Service whose name begins with chestxray."""
_LINK_URL = re.compile(r"(tcp|udp|sctp)://.*")
"""What it sets CHESTXRAY_PORT to; an operator who means a port gives a number."""

_MAX = {"seconds": 3600, "bytes": 2**36, "pixels": 2**31, "threads": 256, "batch": 4096}
"""By a word of a setting's name: beyond an hour, 64 GiB and so on nothing is bounded any more."""
_MAX_COUNT = 2**20
"""For what has none of these words in its name."""
MIN_SECONDS = 0.01
"""What is shorter would refuse everything, and is a mistake of units; 0 may mean something."""
_SHOWN_CHARACTERS = 80
_UNREADABLE_JSON = ("tuple_type", "list_type", "set_type", "frozen_set_type")


class Environment(EnvSettingsSource):
    """The environment, with the names that are no setting and the values that are no JSON, so that
    the validation names them beside all else that is wrong.
    """

    def __call__(self) -> dict[str, Any]:
        """What the settings are validated from, by key."""
        unknown = unknown_names(self.env_vars, set(self.settings_cls.model_fields))
        return super().__call__() | dict.fromkeys(unknown, "")

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        """The value of a setting that is a list, or the text where it cannot be read."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def unknown_names(variables: Mapping[str, str | None], keys: set[str]) -> list[str]:
    """The names that look like a setting and are none, without their prefix."""
    found = {name.upper(): value or "" for name, value in variables.items()}
    ours = (name for name in found if name.startswith(PREFIX) and name not in INTERNAL)
    return [
        name.removeprefix(PREFIX).lower()
        for name in ours
        if name.removeprefix(PREFIX).lower() not in keys
        and not _SERVICE_LINK.fullmatch(name)
        and not (name.endswith("_PORT") and _LINK_URL.fullmatch(found[name]))
    ]


def check_bounds(name: str, value: object) -> None:
    """Refuses a number that is no bound at all. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value) or value > upper_bound(name):
        raise ValueError(f"must be at most {upper_bound(name)}")
    if "seconds" in name.split("_") and 0 < value < MIN_SECONDS:
        raise ValueError(f"must be at least {MIN_SECONDS}")


def upper_bound(name: str) -> int:
    """The largest value of a number by its name; a setting may have a lower bound of its own."""
    words = name.split("_")
    return next((_MAX[word] for word in _MAX if word in words), _MAX_COUNT)


def printable(text: str) -> str:
    """Returns a text that fits into a header. Raises ValueError."""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("must be printable ASCII characters")
    return text


def int8_faults(device: str, checkpoint: Path) -> Iterator[str]:
    """Yields every reason why the int8 classifier cannot run here, as a sentence."""
    variable = f"{variable_of('precision')}=int8"
    if device not in ("auto", "cpu"):
        yield f"{variable} runs on a CPU, not on {variable_of('device')}={device}"
    if not checkpoint.is_file():
        yield f"{variable} needs {checkpoint}, which `make quantise` makes"
    try:
        quantised.check_cpu()
    except CheckpointError as error:
        yield str(error)


def explain(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """A line for every fault, which names the variable, with its value unless that is a secret."""
    faults: dict[str, list[ErrorDetails]] = {}
    for each in error.errors():  # of one value there are several where it may have several types
        faults.setdefault(str(each["loc"][0]) if each["loc"] else "", []).append(each)
    lines: list[str] = []
    for key, found in faults.items():
        reasons = list(dict.fromkeys(map(_reason, found)))
        if not key:  # settings that do not go together; each line names them
            lines += "\n".join(reasons).splitlines()
        elif found[0]["type"] == "extra_forbidden":
            lines.append(_unknown(key, settings))
        else:
            secret = settings.model_fields[key].annotation is SecretStr
            shown = "" if secret else _shown(found[0]["input"])
            lines.append(f"{variable_of(key)}{shown}: {', and '.join(reasons)}")
    return lines


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "dict_type":
        return 'must be an object as JSON, such as {"a": ["b"]}'
    if error["type"] in _UNREADABLE_JSON:
        return 'must be a list as JSON, such as ["a", "b"]'
    return str(error.get("ctx", {}).get("error", error["msg"]))


def _unknown(key: str, settings: type[BaseModel]) -> str:
    """Without its value, which may be a secret's under a misspelt name."""
    near = get_close_matches(key, settings.model_fields, n=1)
    hint = f"; did you mean {variable_of(near[0])}?" if near else ""
    return f"{variable_of(key)}: there is no such setting{hint}"


def _shown(value: object) -> str:
    text = repr(value)
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return f"={cut}"


def variable_of(key: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{key.upper()}"
