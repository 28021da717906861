"""The sampling presets, and the values that the up and down keys step each setting through."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tui_gpt.config import SampleConfig

SAMPLING_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "steady": {"temperature": 0.65, "top_k": 0, "top_p": 0.95, "min_p": 0.0},
        "lively": {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
        "wild": {"temperature": 1.2, "top_k": 0, "top_p": 1.0, "min_p": 0.02},
    }
)
"""Sampling settings by name; length and seed are not part of them."""

_INTEGERS = frozenset({"top_k", "max_new_tokens", "seed"})


@dataclass(frozen=True)
class Knob:
    """A setting: its name, its label, and the values that up and down step through."""

    name: str
    label: str
    steps: tuple[float | None, ...]
    off: str = ""
    """The text for the first step, if it is not its number."""

    def spelled(self, value: float | None) -> str:
        """Return a value as text."""
        if value == self.steps[0] and self.off:
            return self.off
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    def stepped(self, value: float | None, by: int) -> float | None:
        """Return the next value up or down; the ends stay."""
        if value is None:
            return self.steps[1] if by > 0 else None
        known = [step for step in self.steps if step is not None]
        place = bisect_right(known, value) if by > 0 else bisect_left(known, value) - 1
        if place < 0:
            return self.steps[0]
        return known[min(place, len(known) - 1)]

    def setting(self, value: float | None) -> Mapping[str, Any]:
        """Return the setting with a value, as `SampleConfig` takes it."""
        return {self.name: int(value) if value is not None and self.name in _INTEGERS else value}

    def parsed(self, text: str) -> Mapping[str, Any]:
        """Return the setting with a typed value. Raises ValueError."""
        return {self.name: int(text) if self.name in _INTEGERS else float(text)}


KNOBS = (
    Knob("temperature", "temp", tuple(tenth / 10 for tenth in range(21))),
    Knob("top_k", "top-k", (0, 1, 2, 3, 5, 10, 20, 40), off="all"),
    Knob("top_p", "top-p", (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)),
    Knob("min_p", "min-p", (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)),
    Knob("max_new_tokens", "length", (50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000, 100_000)),
    Knob("seed", "seed", (None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 42, 1337), off="new"),
)


def preset_of(config: SampleConfig) -> str | None:
    """Return the name of the preset whose settings `config` has; None if there is none."""
    for name, settings in SAMPLING_PRESETS.items():
        if all(getattr(config, key) == value for key, value in settings.items()):
            return name
    return None


def preset_after(config: SampleConfig) -> str:
    """Return the name of the preset after that of `config`."""
    names, current = list(SAMPLING_PRESETS), preset_of(config)
    return names[(names.index(current) + 1) % len(names)] if current else names[0]
