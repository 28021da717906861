"""The name of the app at the left end of the top line, on which a click opens the command palette."""

from textual.widgets import Static

from tui_gpt.tui.keys import keymap_of


class AppTitle(Static):
    """The name."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("tui-gpt", id=id)

    def on_mount(self) -> None:
        """Say what a click does."""
        self.tooltip = keymap_of(self).fill("All commands ({app.palette})")

    def on_click(self) -> None:
        """Open the command palette."""
        self.app.action_command_palette()
