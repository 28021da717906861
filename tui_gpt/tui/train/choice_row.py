"""A few choices on one line: ← and → or a click select one of them."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui_gpt.tui.keys import key_binding

_GAP = "  "


class ChoiceRow(Widget, can_focus=True):
    """Labels side by side, one of which may be selected."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("form.previous", "move(-1)", "Previous", show=False),
        key_binding("form.next", "move(1)", "Next", show=False),
    ]
    DEFAULT_CSS = """
    ChoiceRow {
        height: 1;
        width: 1fr;
    }
    """

    class Selected(Message):
        """The user has selected the choice of that index."""

        def __init__(self, index: int) -> None:
            self.index = index
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.labels: Sequence[str] = ()
        self.selected: int | None = None

    def show(self, labels: Sequence[str], selected: int | None) -> None:
        """Replace the choices."""
        if (labels, selected) != (self.labels, self.selected):
            self.labels, self.selected = labels, selected
            self.refresh()

    def render(self) -> Content:
        """Draw the labels; the selected one is marked, and stands out while the row has the focus."""
        chosen = "bold $text on $primary 40%" if self.has_focus else "bold $text-primary"
        parts: list[tuple[str, str]] = []
        for index, label in enumerate(self.labels):
            is_selected = index == self.selected
            parts += [(f"{'●' if is_selected else '○'} {label}", chosen if is_selected else ""), (_GAP, "")]
        return Content.assemble(*parts)

    def action_move(self, by: int) -> None:
        """Select the previous or the next choice."""
        if self.labels:
            index = (-1 if by > 0 else len(self.labels)) if self.selected is None else self.selected
            self._select(min(max(index + by, 0), len(self.labels) - 1))

    def on_click(self, event: events.Click) -> None:
        """Select the choice that was clicked."""
        end = 0
        for index, label in enumerate(self.labels):
            end += len(label) + 2
            if event.x < end:
                self._select(index)
                return
            end += len(_GAP)

    def _select(self, index: int) -> None:
        if index != self.selected:
            self.post_message(self.Selected(index))
