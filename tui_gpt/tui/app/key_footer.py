"""The keys at the bottom of the screen: Textual's footer, which would otherwise never let go of a key it has shown.

Every change of what is possible makes new keys, each of which watches the footer; Textual forgets the watchers that are
gone only when what they watch changes, which here is never. An afternoon in the app would hold thousands of them.
"""

from textual.widgets import Footer


class KeyFooter(Footer):
    """A footer that holds the keys on screen and no others."""

    async def recompose(self) -> None:
        """Show the keys of now, and forget those before."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)
