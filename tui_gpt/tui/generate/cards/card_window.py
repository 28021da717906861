"""The part of the notebook that is on display: sixty cards around one, of thousands.

Each card on display costs its wrapped text and a moment when all are measured; the others cost nothing.
"""

from collections.abc import Sequence

from rich.segment import Segment

from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.text.passage import Look

_SIZE = 60
_MORE = 30
"""Cards that are added at an end."""


class CardWindow:
    """Which of the cards are on display."""

    def __init__(self) -> None:
        self.cards: tuple[Card, ...] = ()
        self.start, self.end = 0, 0

    @property
    def visible(self) -> Sequence[Card]:
        """The cards on display."""
        return self.cards[self.start : self.end]

    def show(self, cards: Sequence[Card], card_id: str | None) -> None:
        """Set all cards; display those around a card, or the last ones."""
        self.cards = tuple(cards)
        self.end = len(self.cards)
        self.start = max(0, self.end - _SIZE)
        if card_id is not None:
            self.move_to(card_id)

    def move_to(self, card_id: str) -> bool:
        """Display a card; return whether another part is on display now."""
        if any(card.id == card_id for card in self.visible):
            return False
        place = next((place for place, card in enumerate(self.cards) if card.id == card_id), None)
        if place is None:
            return False
        self.start = max(0, min(place - _SIZE // 2, len(self.cards) - _SIZE))
        self.end = min(len(self.cards), self.start + _SIZE)
        return True

    def extend(self, by: int) -> bool:
        """Display more cards above (-1) or below (1); return whether there are any."""
        before = self.start, self.end
        if by < 0:
            self.start = max(0, self.start - _MORE)
        else:
            self.end = min(len(self.cards), self.end + _MORE)
        return before != (self.start, self.end)

    def put(self, card: Card) -> bool:
        """Replace a card, or append it and display the end; return whether the end was not on display before."""
        place = next((k for k in reversed(range(len(self.cards))) if self.cards[k].id == card.id), None)
        if place is not None:
            self.cards = (*self.cards[:place], card, *self.cards[place + 1 :])
            return False
        was_elsewhere = self.end != len(self.cards)
        self.cards = (*self.cards, card)
        self.end = len(self.cards)
        if was_elsewhere:
            self.start = max(0, self.end - _SIZE)
        return was_elsewhere


class MoreBlock:
    """A row that says how many cards lie beyond those on display."""

    def __init__(self, by: int, count: int) -> None:
        self.by = by
        """-1 above, 1 below."""
        self._words = f"{'▲' if by < 0 else '▼'} {count:,} {'earlier' if by < 0 else 'later'} cards"

    def height(self, width: int) -> int:
        """Return the number of rows."""
        del width
        return 2

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of a row."""
        shown = row == (0 if self.by < 0 else 1)
        return [Segment(f"  {self._words}"[:width] if shown else "", look("meta"))]
