"""How the next answer is drawn, in one row: three presets and six settings.

Left and right choose, up and down change, digits type a value; the mouse presses and turns. Every change is checked by
`SampleConfig` itself before it holds, so the row can never show a setting that would not run.
"""

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError

SAMPLING_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "steady": {"temperature": 0.65, "top_k": 0, "top_p": 0.95, "min_p": 0.0},
        "lively": {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
        "wild": {"temperature": 1.2, "top_k": 0, "top_p": 1.0, "min_p": 0.02},
    }
)
"""Named ways to draw; length and seed stay as they are."""


@dataclass(frozen=True)
class Knob:
    """A setting in the row: its name, its label, the values that up and down step through."""

    name: str
    label: str
    steps: tuple[float | None, ...]
    off: str = ""
    """What the first step is called, if not by its number."""

    def spelled(self, value: float | None) -> str:
        """The value as the row shows it."""
        return self.off if value == self.steps[0] and self.off else f"{value:g}" if value is not None else ""

    def stepped(self, value: float | None, by: int) -> float | None:
        """The next value up or down; the ends hold."""
        if value is None:
            return self.steps[1] if by > 0 else None
        known = [step for step in self.steps if step is not None]
        place = bisect_right(known, value) if by > 0 else bisect_left(known, value) - 1
        if place < 0:
            return self.steps[0]
        return known[min(place, len(known) - 1)]


KNOBS = (
    Knob("temperature", "temp", tuple(tenth / 10 for tenth in range(21))),
    Knob("top_k", "top-k", (0, 1, 2, 3, 5, 10, 20, 40), off="all"),
    Knob("top_p", "top-p", (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)),
    Knob("min_p", "min-p", (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)),
    Knob("max_new_tokens", "length", (50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000, 100_000)),
    Knob("seed", "seed", (None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 42, 1337), off="new"),
)
_WHOLE = ("top_k", "max_new_tokens", "seed")
_ITEMS = (*SAMPLING_PRESETS, *(knob.name for knob in KNOBS))


class SamplingControls(Widget, can_focus=True):
    """The row of presets and settings."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sampling--label", "sampling--value", "sampling--chosen", "sampling--here"}
    DEFAULT_CSS = """
    SamplingControls {
        height: 1;
        width: 1fr;
        & .sampling--label { color: $text-muted; }
        & .sampling--value { color: $foreground; }
        & .sampling--chosen { color: $text-primary; text-style: bold underline; }
        & .sampling--here { color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)", "Choose", key_display="←→"),
        Binding("right", "choose(1)", "Choose", show=False),
        Binding("up", "step(1)", "Change", key_display="↑↓"),
        Binding("down", "step(-1)", "Change", show=False),
        Binding("enter", "take", "Done", key_display="⏎"),
        Binding("escape", "take(False)", "Done", show=False),
    ]

    config: reactive[SampleConfig] = reactive(SampleConfig, init=False)
    """What holds for the next answer; `seed` None draws a new one."""
    place = reactive(len(SAMPLING_PRESETS))
    """The chosen item of the row."""
    typed = reactive("")

    class Changed(Message):
        """A setting took another value."""

        def __init__(self, config: SampleConfig) -> None:
            self.config = config
            super().__init__()

    class Done(Message):
        """The user wants to go back to the prompt."""

    def __init__(self, config: SampleConfig, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(SamplingControls.config, config)

    @property
    def mood(self) -> str | None:
        """The preset that holds, if it is one."""
        for name, settings in SAMPLING_PRESETS.items():
            if all(getattr(self.config, key) == value for key, value in settings.items()):
                return name
        return None

    def next_mood(self) -> str:
        """Take the next preset; its name."""
        names = list(SAMPLING_PRESETS)
        name = names[(names.index(self.mood) + 1) % len(names)] if self.mood else names[0]
        self._change(SAMPLING_PRESETS[name])
        return name

    def change(self, name: str, by: int) -> None:
        """Step a setting up or down."""
        knob = next(knob for knob in KNOBS if knob.name == name)
        value = knob.stepped(getattr(self.config, name), by)
        self._change({name: int(value) if value is not None and name in _WHOLE else value})

    # Keys

    def action_choose(self, by: int) -> None:
        """Go to another item."""
        self._commit()
        self.place = (self.place + by) % len(_ITEMS)

    def action_step(self, by: int) -> None:
        """Change the chosen setting, or take the chosen preset."""
        self._commit()
        name = _ITEMS[self.place]
        if name in SAMPLING_PRESETS:
            self._change(SAMPLING_PRESETS[name])
        else:
            self.change(name, by)

    def action_take(self, keep: bool = True) -> None:
        """Take what was typed, or the chosen preset, and go back to the prompt."""
        if not keep:
            self.typed = ""
        elif _ITEMS[self.place] in SAMPLING_PRESETS:
            self._change(SAMPLING_PRESETS[_ITEMS[self.place]])
        elif self.typed:
            self._commit()
            return
        self.post_message(self.Done())

    def on_key(self, event: events.Key) -> None:
        """Digits type a value."""
        if _ITEMS[self.place] in SAMPLING_PRESETS:
            return
        if event.character is not None and event.character in "0123456789.":
            self.typed = (self.typed + event.character)[:12]
        elif event.key == "backspace" and self.typed:
            self.typed = self.typed[:-1]
        else:
            return
        event.stop()
        event.prevent_default()

    def on_blur(self) -> None:
        """Leaving takes what was typed."""
        self._commit()

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Choose what was pressed; a preset is taken, a setting that was chosen already goes a step up."""
        place = self._place_at(event.x)
        if place is None:
            return
        again = place == self.place
        self._commit()
        self.place = place
        if _ITEMS[place] in SAMPLING_PRESETS or again:
            self.action_step(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A step up for the setting under the mouse."""
        self._turn(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """A step down for the setting under the mouse."""
        self._turn(event, -1)

    def _turn(self, event: events.MouseEvent, by: int) -> None:
        place = self._place_at(event.x)
        if place is not None and _ITEMS[place] not in SAMPLING_PRESETS:
            event.stop()
            self.place = place
            self.action_step(by)

    def _place_at(self, x: int) -> int | None:
        for place, start, parts in self._laid_out():
            if start <= x < start + sum(len(text) for text, _ in parts):
                return place
        return None

    # Drawing

    def render_line(self, y: int) -> Strip:
        """The row."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        segments, cells = [], 0
        for _, start, parts in self._laid_out():
            segments.append(Segment(" " * (start - cells), base))
            segments += [
                Segment(text, self.get_component_rich_style(f"sampling--{tone}") if tone else base)
                for text, tone in parts
            ]
            cells = start + sum(len(text) for text, _ in parts)
        return Strip(segments, cells).adjust_cell_length(self.size.width, base)

    def _laid_out(self) -> Iterator[tuple[int, int, list[tuple[str, str]]]]:
        """Each item: its place, its first cell, its texts with their tones."""
        items = [self._parts(place) for place in range(len(_ITEMS))]
        needed = sum(len(text) for parts in items for text, _ in parts)
        gap = min(3, max(1, (self.size.width - needed) // (len(items) - 1)))
        start = 0
        for place, parts in enumerate(items):
            yield place, start, parts
            start += sum(len(text) for text, _ in parts) + gap

    def _parts(self, place: int) -> list[tuple[str, str]]:
        name = _ITEMS[place]
        here = self.has_focus and place == self.place
        if name in SAMPLING_PRESETS:
            return [(name, "here" if here else "chosen" if name == self.mood else "label")]
        knob = KNOBS[place - len(SAMPLING_PRESETS)]
        value = self.typed + "▏" if here and self.typed else knob.spelled(getattr(self.config, name))
        return [(f"{knob.label} ", "label"), (value, "here" if here else "value")]

    # Values

    def _commit(self) -> None:
        """Take the value that was typed."""
        text, self.typed = self.typed, ""
        if not text:
            return
        name = _ITEMS[self.place]
        try:
            self._change({name: int(text) if name in _WHOLE else float(text)})
        except ValueError:
            self.notify(f"{text} is not a number that fits here", severity="warning", markup=False)

    def _change(self, settings: Mapping[str, Any]) -> None:
        try:
            config = dataclasses.replace(self.config, **settings)
        except ConfigError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self.config = config
        self.post_message(self.Changed(config))
