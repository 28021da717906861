"""The keys in use: the defaults, and what the user has put in their place.

A key is written as Textual names it: `space`, `f6`, `ctrl+k`, `shift+left`, or a character by itself. Several keys are
separated by commas; the comma itself is called `comma`.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tui_gpt.errors import ConfigError
from tui_gpt.key_table import KEY_ACTIONS, NEVER_TYPED, PLACES_OF_TYPING, PLACES_TOGETHER, KeyAction

_NAMED = frozenset(
    (
        *("enter", "escape", "space", "tab", "backspace", "delete", "insert"),
        *("home", "end", "pageup", "pagedown", "up", "down", "left", "right"),
        *(f"f{number}" for number in range(1, 25)),
    )
)
_PLACEHOLDER = re.compile(r"\{(\w+\.\w+)\}")
_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "meta", "hyper"})
_SHORT_NAMES = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_SHOWN = {"up": "↑", "down": "↓", "left": "←", "right": "→", "escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn"}


def name_of_character(character: str) -> str:
    """Return the name of the key that types a character, e.g. `plus` for `+`."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _SHORT_NAMES.get(name, name)


_CHARACTERS = MappingProxyType({name_of_character(chr(code)): chr(code) for code in range(33, 127)})
"""The printable characters by the names of their keys."""


def _split(key: str) -> tuple[list[str], str]:
    *modifiers, last = key.split("+")
    return modifiers, last


def key_names(keys: str) -> tuple[str, ...]:
    """Return the names of comma-separated keys. A capital letter has two, as terminals differ: `R` and `shift+r`.

    Raises ConfigError for a key that does not exist.
    """
    return tuple(dict.fromkeys(itertools.chain.from_iterable(_names(key.strip()) for key in keys.split(","))))


def _names(key: str) -> Iterator[str]:
    if len(key) == 1:
        key = f"shift+{key}" if key.isupper() else name_of_character(key)
    modifiers, last = _split(key.lower())
    if last not in _NAMED and last not in _CHARACTERS and not (len(last) == 1 and last.isalnum()):
        raise ConfigError(f"{key!r} is not a key: write e.g. space, f6, ctrl+k, shift+left, comma or one character")
    if not set(modifiers) <= _MODIFIERS:
        raise ConfigError(f"{key!r} is not a key: the modifiers are ctrl, shift and alt")
    if modifiers == ["shift"] and last.isalpha() and len(last) == 1:
        yield last.upper()
    yield "+".join([*sorted(modifiers), last])


def is_typed(key: str) -> bool:
    """Return whether a key types a character where a text is typed."""
    modifiers, last = _split(key)
    return set(modifiers) <= {"shift"} and (last in _CHARACTERS or last == "space" or len(last) == 1)


def shown_key(key: str) -> str:
    """Return a key as the app shows it, e.g. `Ctrl+K`, `←`, `+`, `F1`."""
    modifiers, last = _split(key)
    shown = _SHOWN.get(last) or _CHARACTERS.get(last, last)
    if len(last) > 1 and shown == last:
        shown = last.capitalize()
    elif "ctrl" in modifiers:
        shown = shown.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), shown])


def checked_keys(action: KeyAction, keys: str) -> str:
    """Return the keys of an action if they can be pressed for it. Raises ConfigError."""
    try:
        names = key_names(keys)
    except ConfigError as error:
        raise ConfigError(f"{action.id} cannot be {keys!r}: {error}", action.id) from error
    if action.place in PLACES_OF_TYPING or action.id in NEVER_TYPED:
        typed = next((name for name in names if is_typed(name)), None)
        if typed is not None:
            raise ConfigError(
                f"{action.id} cannot be {keys!r}: {shown_key(typed)} types a character: choose e.g. a key with ctrl",
                action.id,
            )
    return keys


class Keymap:
    """The keys of every action."""

    def __init__(self, chosen: Mapping[str, str] = MappingProxyType({})) -> None:
        """Replace the keys of some actions, by their ids. Raises ConfigError for a key that two actions share."""
        self.chosen = {name: ",".join(key_names(keys)) for name, keys in chosen.items()}
        """The keys that differ from the defaults, as Textual's keymap."""
        self._names = {name: key_names(chosen.get(name, action.keys)) for name, action in KEY_ACTIONS.items()}
        for name in chosen:
            self._check(name)

    def of(self, name: str) -> tuple[str, ...]:
        """Return the keys of an action."""
        return self._names[name]

    def shown(self, name: str) -> str:
        """Return the first key of an action as the app shows it."""
        return shown_key(self._names[name][0])

    def all_shown(self, name: str) -> list[str]:
        """Return every key of an action as the app shows it; a capital letter once."""
        keys = self._names[name]
        return [shown_key(key) for key in keys if key.removeprefix("shift+").upper() not in keys or len(key) == 1]

    def fill(self, words: str) -> str:
        """Return a sentence with every `{id}` of an action replaced by its key."""
        return _PLACEHOLDER.sub(lambda found: self.shown(found[1]), words)

    def _check(self, name: str) -> None:
        """Raise ConfigError if a key of a remapped action is that of another one of the same place."""
        for other, keys in self._names.items():
            shared = set(self._names[name]) & set(keys) - _default_clash(name, other)
            if shared and other != name and _work_together(name, other):
                raise ConfigError(
                    f"{name} cannot be {min(shared)!r}, which is the key of {other}: "
                    f"choose another key for one of them",
                    name,
                )


def _work_together(one: str, other: str) -> bool:
    places = {KEY_ACTIONS[one].place, KEY_ACTIONS[other].place}
    return any(places <= together for together in PLACES_TOGETHER)


def _default_clash(one: str, other: str) -> frozenset[str]:
    """Return the keys that two actions share by default, where one of them goes first."""
    return frozenset(key_names(KEY_ACTIONS[one].keys)) & frozenset(key_names(KEY_ACTIONS[other].keys))


DEFAULT_KEYMAP = Keymap()
