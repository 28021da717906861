"""Tabs that change only on request.

Textual's own also switch back to the tab whose widget got the keyboard focus, even if the user has switched to another
tab before that message arrives.
"""

from textual.widgets import TabbedContent, TabPane


class SteadyTabs(TabbedContent):
    """Tabs that ignore where the keyboard focus is."""

    def on_tab_pane_focused(self, event: TabPane.Focused) -> None:
        """Keep the active tab."""
        event.stop()
        event.prevent_default()
