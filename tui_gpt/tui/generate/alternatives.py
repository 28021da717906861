"""The ten most likely characters (or tokens) at the text cursor, with bars; Enter generates another answer from one."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.escaping import spell_bytes
from tui_gpt.formatting import bar
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.text.wrap import glyphs

_BAR_CELLS = 12
_NAME_CELLS, _MAX_NAME_CELLS = 5, 12
_NAMED = {" ": "space", "\n": "↵", "\t": "tab"}
_WITHIN = {ord(" "): "␣", ord("\n"): "↵", ord("\t"): "⇥"}
_HEAD_ROWS = 2

Alternative = tuple[str, float]


def spelled(token: str) -> str:
    """Return a visible name for a character or another token; bytes that are a part of a character as e.g. <0xE4>."""
    return _NAMED.get(token) or glyphs(spell_bytes(token).translate(_WITHIN))


def percent(probability: float) -> str:
    """Return a probability as `42 %`, `1.3 %` or `<0.1 %`."""
    if 0.0 < probability < 0.0005:
        return "<0.1 %"
    return f"{probability:.0%}".replace("%", " %") if probability >= 0.0995 else f"{probability * 100:.1f} %"


class AlternativesPanel(Widget, can_focus=True):
    """The most likely characters at one position of a text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "alternatives--title",
        "alternatives--character",
        "alternatives--present",
        "alternatives--bar",
        "alternatives--probability",
        "alternatives--here",
    }
    DEFAULT_CSS = """
    AlternativesPanel {
        display: none;
        width: 30;
        height: 1fr;
        padding: 0 1;
        border-left: solid $panel;
        & .alternatives--title { color: $text-muted; }
        & .alternatives--character { color: $foreground; text-style: bold; }
        & .alternatives--present { color: $text-primary; text-style: bold; }
        & .alternatives--bar { color: $primary; }
        & .alternatives--probability { color: $text-muted; }
        & .alternatives--here { color: $block-cursor-foreground; background: $block-cursor-background; }
        &:focus { border-left: solid $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("alternatives.previous", "move(-1)", "Character", key_display="↑↓"),
        key_binding("alternatives.next", "move(1)", "Character", show=False),
        key_binding("alternatives.branch", "branch", "Branch", key_display="⏎"),
        key_binding("alternatives.close", "close", "Back", key_display="esc"),
    ]

    class Chosen(Message):
        """Another answer is to be generated, with this character at the cursor."""

        def __init__(self, character: str) -> None:
            self.character = character
            super().__init__()

    class Closed(Message):
        """The keyboard focus is to move back to the text."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.character = ""
        """The character at the cursor."""
        self.probability: float | None = None
        self.alternatives: tuple[Alternative, ...] | None = None
        self.error = ""
        self.waiting = ""
        self.place = 0

    def show(
        self, character: str, probability: float | None, alternatives: Sequence[Alternative] | None, error: str = ""
    ) -> None:
        """Show the alternatives to `character` ("" at the end of the text) and its probability, None if unknown;
        `alternatives` is None while they are being computed."""
        self.character, self.probability, self.error = character, probability, error
        self.waiting = ""
        self.alternatives = None if alternatives is None else tuple(alternatives)
        self.place = 0
        if self.alternatives and len(self.alternatives) > 1 and self.alternatives[0][0] == character:
            self.place = 1
        self.refresh()

    def set_waiting(self, words: str) -> None:
        """Show for how long the alternatives have been computed."""
        if words != self.waiting:
            self.waiting = words
            self.refresh()

    def action_move(self, by: int) -> None:
        """Move to another character."""
        if self.alternatives:
            self.place = (self.place + by) % len(self.alternatives)
            self.refresh()

    def action_branch(self) -> None:
        """Request an answer with the current character."""
        if self.alternatives:
            self.post_message(self.Chosen(self.alternatives[self.place][0]))

    def action_close(self) -> None:
        """Return to the text."""
        self.post_message(self.Closed())

    def on_click(self, event: events.Click) -> None:
        """Request an answer with the clicked character."""
        place = event.y - _HEAD_ROWS
        if self.alternatives and 0 <= place < len(self.alternatives):
            self.place = place
            self.action_branch()

    def on_focus(self) -> None:
        """Mark the current character."""
        self.refresh()

    def on_blur(self) -> None:
        """Unmark the current character."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the title, a blank row, and the characters."""
        base, width = self.rich_style, self.size.width
        segments = [
            Segment(text, self.get_component_rich_style(f"alternatives--{tone}")) for text, tone in self._row(y, width)
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def _row(self, y: int, width: int) -> list[tuple[str, str]]:
        if y == 0:
            suffix = "" if self.probability is None else f" ({percent(self.probability)})"
            title = f"instead of {spelled(self.character)}{suffix}" if self.character else "next character"
            return [(title, "title")]
        if y < _HEAD_ROWS:
            return []
        if self.alternatives is None or self.error:
            rows = glyphs(self.error) or f"computing …{self.waiting}"
            start = (y - _HEAD_ROWS) * max(1, width)
            return [(rows[start : start + width], "title")]
        if y - _HEAD_ROWS >= len(self.alternatives):
            return []
        return self._alternative(y - _HEAD_ROWS)

    def _alternative(self, place: int) -> list[tuple[str, str]]:
        character, probability = (self.alternatives or ())[place]
        cells = min(_MAX_NAME_CELLS, max(_NAME_CELLS, *(cell_len(spelled(one)) for one, _ in self.alternatives or ())))
        whole = spelled(character)
        name = " " * (cells - cell_len(whole)) + set_cell_size(whole, min(cells, cell_len(whole))) + " "
        here = self.has_focus and place == self.place
        tone = "here" if here else "present" if character == self.character else "character"
        return [
            (name, tone),
            (bar(probability, _BAR_CELLS + _NAME_CELLS - cells, empty=" "), "bar"),
            (f" {percent(probability):>6}", "here" if here else "probability"),
        ]
