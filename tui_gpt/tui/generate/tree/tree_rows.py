"""The rows of the tree: a heading for each card, and below it a row for each of its branches.

Only the number of rows of a card is known at once, which is what it takes to scroll through thousands of cards; the
tree of a card is made when one of its rows is needed.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.branches import Branch, BranchTree, Direction


@dataclass(frozen=True)
class TreeRow:
    """A row of the tree."""

    card: Card
    branch: Branch | None
    """None in the heading of a card."""

    @property
    def place(self) -> tuple[str, str]:
        """Return the ids of card and answer; "" for a heading."""
        return self.card.id, self.branch.answer.id if self.branch else ""


class TreeRows:
    """The rows of all cards."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards = cards
        self._tops = [0, *accumulate(1 + len(card.continued) + len(card.answers) for card in cards)]
        self._numbers = {card.id: number for number, card in enumerate(cards)}
        self._marked = [number for number, card in enumerate(cards) if card.bookmarks]
        """The places of the cards with bookmarks."""
        self._trees: dict[str, BranchTree] = {}

    def __len__(self) -> int:
        return self._tops[-1]

    def row(self, number: int) -> TreeRow:
        """Return a row by its number."""
        place = bisect_right(self._tops, number) - 1
        card, within = self._cards[place], number - self._tops[place]
        return TreeRow(card, self.tree(card).branches[within - 1] if within else None)

    def tree(self, card: Card) -> BranchTree:
        """Return the tree of a card."""
        if card.id not in self._trees:
            self._trees[card.id] = BranchTree(card)
        return self._trees[card.id]

    def number_of(self, card_id: str, answer_id: str = "") -> int | None:
        """Return the number of the row of a branch, or of its card's heading; None if there is no such card."""
        place = self._numbers.get(card_id)
        if place is None:
            return None
        names = [branch.answer.id for branch in self.tree(self._cards[place]).branches]
        return self._tops[place] + (1 + names.index(answer_id) if answer_id in names else 0)

    def neighbour(self, number: int, direction: Direction) -> int | None:
        """Return the row of the parent, first child or a sibling; cards are the parents of their first branches."""
        row = self.row(number)
        card_number = self._numbers[row.card.id]
        if row.branch is None:
            place = {"previous": card_number - 1, "next": card_number + 1}.get(direction)
            if place is not None:
                return self._tops[place] if 0 <= place < len(self._cards) else None
            return number + 1 if direction == "child" else None
        found = self.tree(row.card).neighbour(row.branch.answer.id, direction)
        if found is None:
            return self._tops[card_number] if direction == "parent" else None
        return self.number_of(row.card.id, found.answer.id)

    def bookmark(self, number: int, by: int) -> int | None:
        """Return the next row (`by` 1) or the previous one (-1) with a bookmark, around the ends; None without any."""
        here = bisect_right(self._tops, number) - 1
        below = bisect_right(self._marked, here)
        above = below - (here in self._marked)
        around = [*self._marked[below:], *self._marked[:below]] if by > 0 else self._marked[:above][::-1]
        if by < 0:
            around += [*self._marked[above:][::-1]]
        own = [one for one in self._bookmarks(here) if (one > number if by > 0 else one < number)]
        candidates = own or next((self._bookmarks(place) for place in around), [])
        return candidates[0 if by > 0 else -1] if candidates else None

    def _bookmarks(self, place: int) -> list[int]:
        """Return the rows of a card with a bookmark, from top to bottom."""
        card = self._cards[place]
        return sorted(filter(None, (self.number_of(card.id, name) for name in card.bookmarks)))
