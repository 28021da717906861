"""The alternatives at one step of a text composed by hand, as a list with bars that scrolls with its selection."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.formatting import bar
from tui_gpt.generation.branches import Branch
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.text.cells import fitted

_NAME_CELLS, _BAR_CELLS = 7, 10


class Choices(Widget):
    """All tokens, the most likely first. It knows no keys; a click chooses."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"choices--name", "choices--bar", "choices--number", "choices--here"}
    DEFAULT_CSS = """
    Choices {
        width: 28;
        height: 1fr;
        padding: 0 1;
        border-left: solid $panel;
        & .choices--name { color: $foreground; text-style: bold; }
        & .choices--bar { color: $primary; }
        & .choices--number { color: $text-muted; }
        & .choices--here { color: $block-cursor-foreground; background: $block-cursor-background; }
    }
    """

    class Chosen(Message):
        """An alternative was clicked."""

        def __init__(self, branch: Branch) -> None:
            self.branch = branch
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._branches: Sequence[Branch] | None = None
        self._place = 0

    @property
    def selected(self) -> Branch | None:
        """The alternative that the keys act on."""
        return self._branches[self._place] if self._branches else None

    def show(self, branches: Sequence[Branch] | None) -> None:
        """Show alternatives, the first one selected; None while they are being computed."""
        if branches is not self._branches:
            self._branches, self._place = branches, 0
            self.refresh()

    def select_next(self, by: int) -> None:
        """Select another one; the first and the last one stay."""
        if self._branches:
            self._place = min(max(self._place + by, 0), len(self._branches) - 1)
            self.refresh()

    @property
    def _top(self) -> int:
        return max(0, self._place + 1 - max(1, self.size.height))

    def on_click(self, event: events.Click) -> None:
        """Post which alternative was clicked."""
        place = event.y + self._top
        if self._branches and 0 <= place < len(self._branches):
            self.post_message(self.Chosen(self._branches[place]))

    def render_line(self, y: int) -> Strip:
        """Draw an alternative."""
        segments = [Segment(text, self.get_component_rich_style(f"choices--{tone}")) for text, tone in self._row(y)]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def _row(self, y: int) -> list[tuple[str, str]]:
        if self._branches is None:
            return [("computing …", "number")] if y == 0 else []
        place = y + self._top
        if place >= len(self._branches):
            return []
        branch, here = self._branches[place], place == self._place
        return [
            (fitted(spelled(branch.text), _NAME_CELLS, to_the_right=True) + " ", "here" if here else "name"),
            (bar(branch.probability, max(0, min(_BAR_CELLS, self.size.width - _NAME_CELLS - 8)), empty=" "), "bar"),
            (f" {percent(branch.probability):>6}", "here" if here else "number"),
        ]
