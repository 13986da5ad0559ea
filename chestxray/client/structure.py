"""Turns decoded JSON into dataclasses, by their annotations."""

from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Structure = TypeVar("Structure")


def structured(kind: type[Structure], value: object) -> Structure:
    """Returns the value as a dataclass; members that it does not know are ignored.

    Raises ValueError where a member is missing or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{kind.__name__} is not an object")
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {name: _converted(hint, value[name]) for name, hint in hints.items() if name in value}
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} lacks a member: {error}") from error


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _converted(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:  # of a type and None
        inner = next(each for each in arguments if each is not NoneType)
        return None if value is None else _converted(inner, value)
    if is_dataclass(hint):
        return structured(hint, value)  # type: ignore[arg-type]
    if origin is dict and isinstance(value, dict):
        return {key: _converted(arguments[1], each) for key, each in value.items()}
    if origin is list and isinstance(value, list):
        return [_converted(arguments[0], each) for each in value]
    if origin is tuple and isinstance(value, list) and len(value) == len(arguments):
        return tuple(map(_converted, arguments, value))
    if hint is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:  # a bool is an int, too
        raise ValueError("a member is of another type")
    return value
