"""The line in which words are typed that are searched for in all cards."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.search import Found, SearchIndex
from tui_gpt.tui.keys import key_binding


class SearchBar(Horizontal):
    """A field, and which of how many places is shown."""

    DEFAULT_CSS = """
    SearchBar {
        display: none;
        height: 1;
        padding: 0 1;
        &.-open { display: block; }
        & #search-label { width: auto; color: $text-primary; }
        & Input { width: 1fr; border: none; height: 1; padding: 0; background: transparent; }
        & #search-count { width: auto; color: $text-muted; padding-left: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("search.next", "go(1)", "Next", key_display="↓", priority=True),
        key_binding("search.previous", "go(-1)", "Previous", key_display="↑", priority=True),
        key_binding("search.close", "close", "End search", key_display="esc", priority=True),
    ]

    class Moved(Message):
        """Another place was found, or none, or other words are searched for."""

        def __init__(self, words: str, found: Found | None) -> None:
            self.words, self.found = words, found
            super().__init__()

    class Left(Message):
        """The keyboard focus is to move to the cards."""

    def __init__(self, cards: Callable[[], Sequence[Card]], selected: Callable[[], str]) -> None:
        """`cards` returns what is searched, `selected` the id of the card from which on."""
        super().__init__()
        self._cards_now, self._selected = cards, selected
        self._cards: Sequence[Card] = ()
        self._index = SearchIndex(())
        self._count = 0
        self._place = 0

    def compose(self) -> ComposeResult:
        """Lay out field and count."""
        yield Static("/", id="search-label")
        yield EscapedInput(placeholder="words in a card or a note", compact=True)
        yield Static("", id="search-count", markup=False)

    @property
    def words(self) -> str:
        """The words that are searched for."""
        return self.query_one(Input).value if self.has_class("-open") else ""

    def open(self) -> None:
        """Begin to search, or type other words."""
        self.add_class("-open")
        self.query_one(Input).focus()
        self._search()

    @on(Input.Changed)
    def _search(self) -> None:
        """Search from the selected card on."""
        if self.has_class("-open"):
            self._refresh_index()
            self._place = self._index.first_in(self._selected())
            self._show()

    def _refresh_index(self) -> None:
        cards = self._cards_now()
        if cards is not self._cards:
            self._cards, self._index = cards, SearchIndex(cards)
        self._count = len(self._index.search(self.words))

    def _show(self) -> None:
        words = self.words
        place = f"{self._place + 1:,} of {self._count:,}" if self._count else "not found"
        self.query_one("#search-count", Static).update(place if words else "")
        found = self._index.found(self._place) if self._count else None
        self.post_message(self.Moved(words, found))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left())

    def action_go(self, by: int) -> None:
        """Go to the next or the previous place, around the ends."""
        if not self.words:
            return
        self._refresh_index()
        if self._count:
            self._place = (self._place + by) % self._count
        self._show()

    def action_close(self) -> None:
        """End the search."""
        self.remove_class("-open")
        self.post_message(self.Moved("", None))
        self.post_message(self.Left())
