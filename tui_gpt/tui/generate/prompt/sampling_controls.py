"""The sampling settings of the next answer in one row: three presets and six values.

Left and right move, up and down change, digits type a value; the mouse clicks and scrolls. `SampleConfig` validates
every change before it is applied, so the row never shows a setting that could not be used.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.tui.generate.prompt.sampling_settings import KNOBS, SAMPLING_PRESETS, Knob, preset_after, preset_of
from tui_gpt.tui.keys import key_binding

_ITEMS: tuple[str | Knob, ...] = (*SAMPLING_PRESETS, *KNOBS)
"""The row: names of presets, then settings."""
_MAX_TYPED = 12


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
        key_binding("sampling.previous", "move(-1)", "Setting", key_display="←→"),
        key_binding("sampling.next", "move(1)", "Setting", show=False),
        key_binding("sampling.more", "step(1)", "Change", key_display="↑↓"),
        key_binding("sampling.less", "step(-1)", "Change", show=False),
        key_binding("sampling.accept", "accept", "Done", key_display="⏎"),
        key_binding("sampling.cancel", "cancel", "Done", show=False),
    ]

    config: reactive[SampleConfig] = reactive(SampleConfig, init=False)
    """The settings of the next answer; `seed` None draws a new seed."""
    place = reactive(len(SAMPLING_PRESETS))
    """The current item of the row."""
    typed = reactive("")
    """The value being typed."""

    class Changed(Message):
        """The settings changed."""

        def __init__(self, config: SampleConfig) -> None:
            self.config = config
            super().__init__()

    class Closed(Message):
        """The keyboard focus is to move back to the prompt."""

    def __init__(self, config: SampleConfig, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(SamplingControls.config, config)

    def next_preset(self) -> None:
        """Switch to the next preset."""
        self._change(SAMPLING_PRESETS[preset_after(self.config)])

    # Keys

    def action_move(self, by: int) -> None:
        """Move to another item."""
        self._commit()
        self.place = (self.place + by) % len(_ITEMS)

    def action_step(self, by: int) -> None:
        """Step the current setting up or down, or apply the current preset."""
        self._commit()
        item = _ITEMS[self.place]
        if isinstance(item, Knob):
            self._change(item.setting(item.stepped(getattr(self.config, item.name), by)))
        else:
            self._change(SAMPLING_PRESETS[item])

    def action_accept(self) -> None:
        """Apply the typed value; without one, apply the current preset and return to the prompt."""
        item = _ITEMS[self.place]
        if self.typed:
            self._commit()
            return
        if isinstance(item, str):
            self._change(SAMPLING_PRESETS[item])
        self.post_message(self.Closed())

    def action_cancel(self) -> None:
        """Discard the typed value and return to the prompt."""
        self.typed = ""
        self.post_message(self.Closed())

    def on_key(self, event: events.Key) -> None:
        """Type a value."""
        if isinstance(_ITEMS[self.place], str):
            return
        if event.character is not None and event.character in "0123456789.":
            self.typed = (self.typed + event.character)[:_MAX_TYPED]
        elif event.key == "backspace" and self.typed:
            self.typed = self.typed[:-1]
        else:
            return
        event.stop()
        event.prevent_default()

    def on_blur(self) -> None:
        """Apply the typed value."""
        self._commit()

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Move to the clicked item; apply a preset, step up a setting that was current already."""
        place = self._place_at(event.x)
        if place is None:
            return
        again = place == self.place
        self._commit()
        self.place = place
        if again or isinstance(_ITEMS[place], str):
            self.action_step(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Step up the setting under the mouse."""
        self._scroll(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Step down the setting under the mouse."""
        self._scroll(event, -1)

    def _scroll(self, event: events.MouseEvent, by: int) -> None:
        place = self._place_at(event.x)
        if place is not None and isinstance(_ITEMS[place], Knob):
            event.stop()
            self.place = place
            self.action_step(by)

    def _place_at(self, x: int) -> int | None:
        for place, start, parts in self._layout_items():
            if start <= x < start + sum(len(text) for text, _ in parts):
                return place
        return None

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw the row."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        segments, cells = [], 0
        for _, start, parts in self._layout_items():
            segments.append(Segment(" " * (start - cells), base))
            segments += [Segment(text, self.get_component_rich_style(f"sampling--{tone}")) for text, tone in parts]
            cells = start + sum(len(text) for text, _ in parts)
        return Strip(segments, cells).adjust_cell_length(self.size.width, base)

    def _layout_items(self) -> Iterator[tuple[int, int, list[tuple[str, str]]]]:
        """Yield for each item its place, its first cell, and its texts with their tones."""
        items = [self._parts(place) for place in range(len(_ITEMS))]
        needed = sum(len(text) for parts in items for text, _ in parts)
        gap = min(3, max(1, (self.size.width - needed) // (len(items) - 1)))
        start = 0
        for place, parts in enumerate(items):
            yield place, start, parts
            start += sum(len(text) for text, _ in parts) + gap

    def _parts(self, place: int) -> list[tuple[str, str]]:
        item = _ITEMS[place]
        here = self.has_focus and place == self.place
        if isinstance(item, str):
            return [(item, "here" if here else "chosen" if item == preset_of(self.config) else "label")]
        value = self.typed + "▏" if here and self.typed else item.spelled(getattr(self.config, item.name))
        return [(f"{item.label} ", "label"), (value, "here" if here else "value")]

    # Values

    def _commit(self) -> None:
        """Apply the value that has been typed."""
        text, self.typed = self.typed, ""
        item = _ITEMS[self.place]
        if not text or not isinstance(item, Knob):
            return
        try:
            setting = item.parsed(text)
        except ValueError:
            self.notify(f"{text} is not a valid {item.label}", severity="warning", markup=False)
        else:
            self._change(setting)

    def _change(self, settings: Mapping[str, Any]) -> None:
        try:
            config = dataclasses.replace(self.config, **settings)
        except ConfigError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self.config = config
        self.post_message(self.Changed(config))
