"""The keys at the bottom of the screen: Textual's footer, without needless widgets.

Whenever the available actions may have changed, the footer creates a widget for each key. This one does so only when
what it shows changes; most of the time the same keys are announced again.

Textual drops watchers that no longer exist only when the watched attribute changes, which never happens here, so the
watchers of thousands of former keys would accumulate.
"""

from textual.binding import Binding
from textual.widgets import Footer

ShownKey = tuple[Binding, bool, str]


class KeyFooter(Footer):
    """A footer that keeps only the keys on screen."""

    _shown: list[ShownKey] | None = None

    async def recompose(self) -> None:
        """Show the current keys, and drop the previous ones, unless they are the same."""
        if not self.is_attached:
            return
        shown = [
            (active.binding, active.enabled, active.tooltip)
            for active in self.screen.active_bindings.values()
            if active.binding.show
        ]
        if shown == self._shown:
            return
        self._shown = shown
        await super().recompose()
        self.mutate_reactive(Footer.compact)
