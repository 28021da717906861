"""Sets of characters as a user writes them (`a-z`, `[:digit:]`), and the escapes of stop strings (`\\n`)."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tui_gpt.errors import ConfigError

CLASSES: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "alpha": str.isalpha,
        "alnum": str.isalnum,
        "digit": str.isdecimal,
        "lower": str.islower,
        "upper": str.isupper,
        "punct": lambda character: unicodedata.category(character)[0] in "PS",
        "space": str.isspace,
    }
)
"""The classes of POSIX, as in `tr`, for all of Unicode; `punct` includes signs such as + and €."""
Kind = Literal["plain", "escape", "class"]
STOP_SEPARATOR = "|"
"""Between several stop strings on one line."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "-": "-", "[": "[", "]": "]", "|": "|"}
_SPELLED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "|": "\\|"}
_ESCAPE = r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.?)"
_ITEM = re.compile(rf"\[:(?P<name>\w*):\]|(?P<escape>{_ESCAPE})|.", re.DOTALL)
_ESCAPED = re.compile(_ESCAPE, re.DOTALL)
_STOP = re.compile(r"(?:\\.|[^|\\]|\\\Z)+", re.DOTALL)


@dataclass(frozen=True)
class CharacterSet:
    """The characters within some ranges of code points, and those of some classes."""

    ranges: tuple[tuple[int, int], ...]
    """First and last code point of each."""
    classes: tuple[str, ...]

    @classmethod
    def parse(cls, setting: str, text: str) -> "CharacterSet":
        """Return the set that `text` describes: characters, ranges, escapes and classes in any order.

        A minus sign at the beginning or the end is itself. Raises ConfigError, which names the setting.
        """
        items = list(_items(setting, text))
        ranges, at = list[tuple[int, int]](), 0
        while at < len(items):
            is_range = at + 2 < len(items) and items[at + 1] == ("plain", "-") and items[at][0] != "class"
            if items[at][0] != "class":
                ranges.append(_checked_range(setting, items[at][1], items[at + 2 if is_range else at]))
            at += 3 if is_range else 1
        return cls(tuple(ranges), tuple(text for kind, text in items if kind == "class"))

    def __contains__(self, character: str) -> bool:
        code = ord(character)
        return any(first <= code <= last for first, last in self.ranges) or any(
            CLASSES[name](character) for name in self.classes
        )


def _items(setting: str, text: str) -> Iterator[tuple[Kind, str]]:
    """Yield the kind of each item, and the name of its class or its character."""
    for match in _ITEM.finditer(text):
        name, escape = match["name"], match["escape"]
        if name is not None and name not in CLASSES:
            known = " ".join(f"[:{one}:]" for one in CLASSES)
            raise ConfigError(f"{setting} has the unknown class [:{name}:]: choose from {known}", setting)
        if name is not None:
            yield "class", name
        else:
            yield ("escape", _character(setting, escape)) if escape else ("plain", match[0])


def _checked_range(setting: str, first: str, end: tuple[Kind, str]) -> tuple[int, int]:
    """Return the code points of a range. Raises ConfigError."""
    kind, last = end
    if kind == "class" or first > last:
        shown = f"[:{last}:]" if kind == "class" else escaped(last)
        raise ConfigError(f"{setting} has the range {escaped(first)}-{shown}: write it as in a-z", setting)
    return ord(first), ord(last)


def _character(setting: str, escape: str) -> str:
    """Return the character that an escape describes. Raises ConfigError."""
    body = escape[1:]
    if body in _ESCAPES:
        return _ESCAPES[body]
    code = int(body[1:], 16) if len(body) > 2 else -1
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ConfigError(
            f"{setting} has {escape}, which is no escape: use \\n, \\t, \\r, \\\\, \\xHH or \\uHHHH", setting
        )
    return chr(code)


def unescaped(setting: str, text: str) -> str:
    """Return `text` with the characters that its escapes describe. Raises ConfigError, which names the setting."""
    return _ESCAPED.sub(lambda match: _character(setting, match[0]), text)


def escaped(text: str) -> str:
    """Return `text` with escapes, on one line; the inverse of `unescaped`."""
    return "".join(
        _SPELLED.get(character) or (character if character.isprintable() else f"\\U{ord(character):08x}")
        for character in text
    )


def parse_stops(text: str) -> tuple[str, ...]:
    """Return stop strings from one line: separated by |, with escapes. Raises ConfigError."""
    return tuple(unescaped("stop", one) for one in _STOP.findall(text))


def spell_stops(stops: tuple[str, ...]) -> str:
    """Inverse of `parse_stops`."""
    return STOP_SEPARATOR.join(map(escaped, stops))
