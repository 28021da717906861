"""The keys at the bottom of the screen: Textual's footer without a memory leak.

Whenever the available actions change, the footer creates new keys, each of which watches it. Textual drops watchers
that no longer exist only when the watched attribute changes, which never happens here, so thousands would accumulate.
"""

from textual.widgets import Footer


class KeyFooter(Footer):
    """A footer that keeps only the keys on screen."""

    async def recompose(self) -> None:
        """Show the current keys, and drop the previous ones."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)
