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
from collections.abc import Callable, Mapping, Set
from typing import Any, Literal, TypeVar

from tui_gpt.errors import ConfigError

_Record = TypeVar("_Record")
_Check = Callable[[str, Any], Any]
"""Takes the name of a field and its value; returns the value, converted."""

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
    hashable: Any = kind
    exact, checks = _field_checks(hashable)
    if record.keys() != checks.keys():
        _check_names(record.keys(), checks.keys(), partial)
    values = {
        name: value if type(value) in exact[name] else checks[name](name, value) for name, value in record.items()
    }
    return kind(**values)


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


@functools.cache
def _field_checks(kind: Any) -> tuple[Mapping[str, Set[Any]], Mapping[str, _Check]]:
    """Return for each field the types of which every value fits, and the function that checks any other value."""
    hints = _field_types(kind)
    exact = {name: _EXACT_TYPES.intersection(_options(hint)) for name, hint in hints.items()}
    return exact, {name: _check_of(hint) for name, hint in hints.items()}


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def check_value(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type `hint`: a scalar, Literal, tuple, Mapping, dataclass, or a union of scalars.

    An integer is accepted for a float, and a value that is of any other class already, which JSON cannot hold, for that
    class. Raises ConfigError.
    """
    return _check_of(hint)(name, value)


@functools.cache
def _check_of(hint: Any) -> _Check:
    """Return a function that checks a value of one type: types are examined once, and not for each of many records."""
    options = _options(hint)
    exact = _EXACT_TYPES.intersection(options)
    converters = [_converter(option) for option in options if option not in exact]

    def check(name: str, value: Any) -> Any:
        if type(value) in exact:
            return value
        for convert in converters:
            converted = convert(name, value)
            if converted is not _MISFIT:
                return converted
        raise ConfigError(f"{name} cannot be {value!r:.{_MAX_SHOWN}}: it takes {_described(options)}", name)

    return check


def _converter(option: Any) -> _Check:
    """Return a function that returns a value as the type `option`, or _MISFIT."""
    if option is int:
        return _integer
    if option is float:
        return _number
    if dataclasses.is_dataclass(option):
        return lambda _, value: read_record(typing.cast(type, option), value) if isinstance(value, dict) else _MISFIT
    items = typing.get_args(option)
    match typing.get_origin(option):
        case origin if origin is Literal:
            return lambda _, value: value if value in items else _MISFIT
        case origin if origin is Mapping:
            return functools.partial(_mapping, items[1])
        case origin if origin is tuple:
            return functools.partial(_items, items)
    return lambda _, value: value if type(value) is option else _MISFIT


def _integer(_: str, value: Any) -> Any:
    return value if type(value) is int and abs(value) < _MAX_INTEGER else _MISFIT


def _number(_: str, value: Any) -> Any:
    is_exact = math.isfinite(value) if type(value) is float else type(value) is int and abs(value) < _EXACT_FLOAT
    return float(value) if is_exact else _MISFIT


def _mapping(hint: Any, name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return _MISFIT
    return {key: check_value(f"{name} {key}", item, hint) for key, item in value.items()}


def _items(items: tuple[Any, ...], name: str, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return _MISFIT
    if not value and items[-1] is ...:
        return ()
    hints = items[:1] * len(value) if items[-1] is ... else items
    if len(value) != len(hints):
        return _MISFIT
    return tuple(check_value(name, item, hint) for item, hint in zip(value, hints, strict=True))


def _described(options: tuple[Any, ...]) -> str:
    return " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(option)))
        if typing.get_origin(option) is Literal
        else _NAMES.get(typing.get_origin(option) or option, "an object")
        for option in options
    )
