"""The fields of the dialog for stop conditions and constraints: their texts, and the config that they describe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from tui_gpt.character_sets import parse_stops, spell_stops
from tui_gpt.config import SampleConfig, range_words
from tui_gpt.errors import ConfigError
from tui_gpt.generation.steering.pattern import check_pattern


@dataclass(frozen=True)
class LimitField:
    """A setting with its label and its meaning."""

    label: str
    meaning: str
    placeholder: str = ""
    """What an empty field means."""


FIELDS: Mapping[str, LimitField] = MappingProxyType(
    {
        "stop": LimitField("stop at", r"The text ends before this, e.g. \n\n or END. Several: \n\n|END", "nothing"),
        "until": LimitField("until", ""),
        "max_seconds": LimitField("seconds", "The text ends after this time.", "no limit"),
        "allow": LimitField("allow", r"The only characters that occur: a-z [:alpha:] [:digit:] [:punct:] \n", "all"),
        "forbid": LimitField("forbid", "Characters that never occur, written in the same way.", "none"),
        "match": LimitField("match", r"A regular expression for the whole text, e.g. [A-Z][^.]+[.]", "anything"),
        "repetition_penalty": LimitField("penalty", "Above 1, repetitions are less likely; 1.5 to 5 is usual.", "1"),
        "repetition_length": LimitField("sequence", "Tokens of a repetition; 1 penalizes each one in the window.", "6"),
        "repetition_window": LimitField("window", "Newest tokens in which repetitions are searched.", "256"),
    }
)
"""The fields in their order; the values of `until` are chosen, those of the others typed."""

UNTIL_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "length": "The text has the length of the sampling settings.",
        "line": "The text ends at the first line break after something visible.",
        "sentence": "The text ends after . ! ? or … and white space, or at a blank line.",
        "blank-line": "The text ends at the first blank line after something visible.",
        "speaker": "The text ends before NAME: after a blank line, or NAME: and text on a line.",
    }
)

_NUMBERS: Mapping[str, type] = MappingProxyType(
    {"max_seconds": float, "repetition_penalty": float, "repetition_length": int, "repetition_window": int}
)
_DEFAULTS = SampleConfig()


def field_text(config: SampleConfig, name: str) -> str:
    """Return the value of a setting as it is typed; "" for its default."""
    value = getattr(config, name)
    if value == getattr(_DEFAULTS, name):
        return ""
    return spell_stops(value) if name == "stop" else f"{value:g}" if isinstance(value, float) else str(value)


def with_field(config: SampleConfig, name: str, text: str) -> SampleConfig:
    """Return `config` with the value of a field. Raises ConfigError."""
    changed = replace(config, **{name: _value(name, text)})
    check_pattern(changed.match)
    return changed


def with_limits_of(config: SampleConfig, other: SampleConfig) -> SampleConfig:
    """Return `config` with the stop conditions and constraints of another one."""
    return replace(config, **{name: getattr(other, name) for name in FIELDS})


def without_limits(config: SampleConfig) -> SampleConfig:
    """Return `config` without stop conditions and constraints."""
    return with_limits_of(config, _DEFAULTS)


def _value(name: str, text: str) -> Any:
    if name == "stop":
        return parse_stops(text)
    if not text.strip():
        return getattr(_DEFAULTS, name)
    if name not in _NUMBERS:
        return text
    try:
        return _NUMBERS[name](text.strip())
    except ValueError:
        label = FIELDS[name].label
        raise ConfigError(f"{label} cannot be {text.strip()!r}: type a number from {range_words(name)}", name) from None
