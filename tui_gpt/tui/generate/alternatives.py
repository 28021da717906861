"""What else the model might have written at the cursor: ten characters with bars, and Enter branches from there."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.tui.generate.wrap import glyphs

_BAR_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉"
_NAMED = {" ": "space", "\n": "↵", "\t": "tab"}
_HEAD_ROWS = 2

Alternative = tuple[str, float]


def spelled(character: str) -> str:
    """A character as a word that can be seen."""
    return _NAMED.get(character) or glyphs(character)


def bar(share: float, cells: int = _BAR_CELLS) -> str:
    """A bar of `cells` cells of which `share` is filled, to an eighth of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(cells)


def percent(probability: float) -> str:
    """`42 %`, `1.3 %`, `<0.1 %`."""
    if 0.0 < probability < 0.0005:
        return "<0.1 %"
    return f"{probability:.0%}".replace("%", " %") if probability >= 0.0995 else f"{probability * 100:.1f} %"


class AlternativesPanel(Widget, can_focus=True):
    """The likeliest characters at one place of a text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "alternatives--title",
        "alternatives--character",
        "alternatives--taken",
        "alternatives--bar",
        "alternatives--share",
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
        & .alternatives--taken { color: $text-primary; text-style: bold; }
        & .alternatives--bar { color: $primary; }
        & .alternatives--share { color: $text-muted; }
        & .alternatives--here { color: $block-cursor-foreground; background: $block-cursor-background; }
        &:focus { border-left: solid $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", "Choose", key_display="↑↓"),
        Binding("down,j", "choose(1)", "Choose", show=False),
        Binding("enter", "branch", "Branch here", key_display="⏎"),
        Binding("escape,left", "leave", "Back", key_display="esc"),
    ]

    class Chosen(Message):
        """The text is to go on with another character."""

        def __init__(self, character: str) -> None:
            self.character = character
            super().__init__()

    class Left(Message):
        """Back to the text."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.taken = ""
        self.share: float | None = None
        self.alternatives: tuple[Alternative, ...] | None = None
        self.error = ""
        self.waiting = ""
        self.place = 0

    def show(
        self, taken: str, share: float | None, alternatives: Sequence[Alternative] | None, error: str = ""
    ) -> None:
        """Show the alternatives to the character `taken` ("" at the end of the text) and what `share` it had, where
        that is known; `alternatives` is None while they are computed."""
        self.taken, self.share, self.error = taken, share, error
        self.waiting = ""
        self.alternatives = None if alternatives is None else tuple(alternatives)
        self.place = 0
        if self.alternatives and len(self.alternatives) > 1 and self.alternatives[0][0] == taken:
            self.place = 1
        self.refresh()

    def wait(self, words: str) -> None:
        """Say for how long nothing is known yet."""
        if words != self.waiting:
            self.waiting = words
            self.refresh()

    def action_choose(self, by: int) -> None:
        """Go to another character."""
        if self.alternatives:
            self.place = (self.place + by) % len(self.alternatives)
            self.refresh()

    def action_branch(self) -> None:
        """Go on from here with the chosen character."""
        if self.alternatives:
            self.post_message(self.Chosen(self.alternatives[self.place][0]))

    def action_leave(self) -> None:
        """Back to the text."""
        self.post_message(self.Left())

    def on_click(self, event: events.Click) -> None:
        """Branch with the character that was pressed."""
        place = event.y - _HEAD_ROWS
        if self.alternatives and 0 <= place < len(self.alternatives):
            self.place = place
            self.action_branch()

    def on_focus(self) -> None:
        """The chosen character is marked."""
        self.refresh()

    def on_blur(self) -> None:
        """The chosen character is not marked any more."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Title, a blank row, the characters."""
        base, width = self.rich_style, self.size.width
        segments = [
            Segment(text, self.get_component_rich_style(f"alternatives--{tone}")) for text, tone in self._row(y, width)
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def _row(self, y: int, width: int) -> list[tuple[str, str]]:
        if y == 0:
            share = "" if self.share is None else f" ({percent(self.share)})"
            title = f"instead of {spelled(self.taken)}{share}" if self.taken else "what comes next"
            return [(title, "title")]
        if y < _HEAD_ROWS:
            return []
        if self.alternatives is None or self.error:
            rows = glyphs(self.error) or f"thinking …{self.waiting}"
            start = (y - _HEAD_ROWS) * max(1, width)
            return [(rows[start : start + width], "title")]
        if y - _HEAD_ROWS >= len(self.alternatives):
            return []
        return self._alternative(y - _HEAD_ROWS)

    def _alternative(self, place: int) -> list[tuple[str, str]]:
        character, probability = (self.alternatives or ())[place]
        name = f"{spelled(character):>5} "
        here = self.has_focus and place == self.place
        tone = "here" if here else "taken" if character == self.taken else "character"
        return [
            (name, tone),
            (bar(probability), "bar"),
            (f" {percent(probability):>6}", "here" if here else "share"),
        ]
