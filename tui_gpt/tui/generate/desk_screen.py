"""What the screens of the writing tools have in common: a title with buttons, help, and drawing at a new size."""

from abc import abstractmethod
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static

from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.keys import button_label

Result = TypeVar("Result")
DeskButton = tuple[str, str, str]
"""Label, id in the key table, and action of the screen."""


class DeskScreen(SizedScreen[Result]):
    """A screen of one tool."""

    def title_row(self, title: str, *buttons: DeskButton) -> ComposeResult:
        """Lay out the title and the buttons."""
        with Horizontal(classes="desk-top"):
            yield Static(title, classes="desk-title", markup=False)
            with Horizontal(classes="buttons"):
                for label, name, action in buttons:
                    yield Button(button_label(self, label, name), action=f"screen.{action}", compact=True)

    def leave_buttons_to_the_mouse(self) -> None:
        """Take the buttons, whose actions have keys, out of the order of the keyboard focus."""
        for button in self.query(Button):
            button.can_focus = False

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(HelpScreen("generate"))

    def on_resize(self) -> None:
        """Draw at the new size."""
        self._draw()

    @abstractmethod
    def _draw(self) -> None:
        """Show the present state, if the screen is mounted."""
