"""Turn JSON objects into dataclasses, refusing everything that does not fit exactly.

Configs, events, checkpoint manifests, the notebook's history and the app's state are read from files that anyone may
have edited, so one rule holds for all of them: no unknown key, no value of another type, no NaN or infinity, no integer
beyond 64 bits, no nesting without end. A range is checked by the class itself, in `__post_init__`.

`msgspec` is not used. For a dataclass it ignores unknown keys, accepts NaN and rounds integers above 2**53 to floats,
its messages ("Expected `int`, got `bool` - at `$.n`") name neither the value nor what to do, and it is not part of the
standard library, to which the modules at this level are limited.
"""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping, Set
from typing import Any, Literal, TypeVar

from tui_gpt.errors import ConfigError

_Record = TypeVar("_Record")

_MISFIT: Any = object()
_EXACT_TYPES = frozenset({str, bool, types.NoneType})
_EXACT_FLOAT = 2**53
"""Larger integers are not exact as a float."""
_MAX_INTEGER = 2**64
_MAX_SHOWN = 80
"""Characters of a refused value that a message quotes."""
_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    types.NoneType: "nothing",
    tuple: "a list",
    Mapping: "an object",
}


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_object(text: str) -> dict[str, Any]:
    """Parse one JSON object; refuse NaN, infinity and text that is not valid Unicode. Raises ValueError."""
    try:
        record = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("holds a number out of range") from None
    if not isinstance(record, dict):
        raise ValueError("holds no JSON object")
    if "\\ud" in text.lower():  # escapes that may be half of a surrogate pair
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    return record


def read_record(kind: type[_Record], record: Mapping[str, Any], *, partial: bool = False) -> _Record:
    """Make a dataclass of the values of its fields by name; `partial` lets fields keep their defaults.

    Raises ConfigError when a field is unknown, missing or of another type, and what the class itself raises.
    """
    hints = field_types(kind)
    if record.keys() != hints.keys():
        _check_names(record.keys(), hints.keys(), partial)
    return kind(**{name: check_value(name, value, hints[name]) for name, value in record.items()})


def _check_names(given: Set[str], known: Set[str], partial: bool) -> None:
    if unknown := sorted(given - known):
        raise ConfigError(f"unknown field {unknown[0]!r}: it was written by another version, or by hand", unknown[0])
    if not partial:
        missing = min(known - given)
        raise ConfigError(f"the field {missing!r} is missing", missing)


def field_types(kind: Any) -> Mapping[str, Any]:
    """Return the type of each field of a dataclass, by its name."""
    return _field_types(kind)


@functools.cache
def _field_types(kind: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def check_value(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type `hint`: a scalar, Literal, tuple, Mapping, dataclass, or a union of scalars.

    An integer is accepted for a float. Raises ConfigError.
    """
    options = _options(hint)
    for option in options:
        converted = _converted(name, value, option)
        if converted is not _MISFIT:
            return converted
    raise ConfigError(f"{name} cannot be {value!r:.{_MAX_SHOWN}}: it takes {_described(options)}", name)


@functools.cache
def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _converted(name: str, value: Any, option: Any) -> Any:
    """Return `value` as the type `option`, or _MISFIT."""
    if option in _EXACT_TYPES:
        return value if type(value) is option else _MISFIT
    if option is int:
        return value if type(value) is int and abs(value) < _MAX_INTEGER else _MISFIT
    if option is float:
        is_exact = math.isfinite(value) if type(value) is float else type(value) is int and abs(value) < _EXACT_FLOAT
        return float(value) if is_exact else _MISFIT
    if dataclasses.is_dataclass(option):
        return read_record(typing.cast(type, option), value) if isinstance(value, dict) else _MISFIT
    return _converted_generic(name, value, typing.get_origin(option), typing.get_args(option))


def _converted_generic(name: str, value: Any, origin: Any, items: tuple[Any, ...]) -> Any:
    if origin is Literal:
        return value if value in items else _MISFIT
    if origin is Mapping and isinstance(value, dict):
        return {key: check_value(f"{name} {key}", item, items[1]) for key, item in value.items()}
    if origin is tuple and isinstance(value, list | tuple):
        hints = items[:1] * len(value) if items[-1] is ... else items
        if len(value) == len(hints):
            return tuple(check_value(name, item, hint) for item, hint in zip(value, hints, strict=True))
    return _MISFIT


def _described(options: tuple[Any, ...]) -> str:
    return " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(option)))
        if typing.get_origin(option) is Literal
        else _NAMES.get(typing.get_origin(option) or option, "an object")
        for option in options
    )
