"""Ways through the notebook's cards: along the branches, from bookmark to bookmark, into the tree, and by searching."""

from dataclasses import replace
from typing import Any

from textual.app import App

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.inspector import Inspector
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.branches import BranchTree, Direction
from tui_gpt.tui.generate.notebook.search import Found, lowered
from tui_gpt.tui.generate.saved_notebook import SavedNotebook

DIRECTIONS: dict[CardAction, Direction] = {
    CardAction.PARENT: "parent",
    CardAction.CHILD: "child",
    CardAction.PREVIOUS_SIBLING: "previous",
    CardAction.NEXT_SIBLING: "next",
}
_NO_BRANCH: dict[Direction, str] = {
    "parent": "This branch began with the prompt: it has no parent.",
    "child": "No branch leaves this one.",
    "previous": "This is the first of its siblings.",
    "next": "This is the last of its siblings.",
}


class Walks:
    """Moves through the cards."""

    def __init__(self, notebook: SavedNotebook, inspector: Inspector) -> None:
        self._notebook, self._inspector = notebook, inspector

    @property
    def _app(self) -> App[Any]:
        return self._inspector.app

    def show(self, card_id: str, answer_id: str, *, cursor: int | None = None) -> Card | None:
        """Select a card with one of its answers shown, and put a text cursor into it if wanted; return the card."""
        view = self._inspector.view
        self._inspector.stop_inspecting()
        card = self._notebook.find(card_id)
        if card is not None and card.answer.id != answer_id:
            card = self._notebook.show_answer(card_id, answer_id)
        if card is not None:
            view.select(card_id, reveal=False)
            view.show_card(card)
            view.select(card_id)
            if cursor is not None and (block := view.block_of(card_id)) is not None:
                self._inspector.inspect(block, cursor)
        return card

    def go(self, block: CardBlock, direction: Direction) -> None:
        """Show the parent, the first child or a sibling of a card's answer, with the text cursor where it begins."""
        cursor = block.main.passage.cursor if self._inspector.view.inspected is block else None
        branch = BranchTree(block.card).neighbour(block.card.answer.id, direction, cursor)
        if branch is None:
            self._app.notify(_NO_BRANCH[direction], markup=False)
            return
        if cursor is not None:
            cursor = BranchTree(block.card).by_id[block.card.answer.id].start if direction == "parent" else branch.start
        self.show(block.card.id, branch.answer.id, cursor=cursor)

    def go_to_bookmark(self, block: CardBlock, by: int) -> None:
        """Show the next bookmarked answer (`by` 1), or the previous one (-1), around the ends."""
        places = [
            (card.id, branch.answer.id)
            for card in self._notebook.cards
            if card.bookmarks or card.id == block.card.id
            for branch in BranchTree(card).branches
            if branch.answer.id in card.bookmarks or branch.answer.id == block.card.answer.id
        ]
        here = places.index((block.card.id, block.card.answer.id))
        marked = {name for card in self._notebook.cards for name in card.bookmarks}
        around = [*places[here + 1 :], *places[:here]] if by > 0 else [*places[:here][::-1], *places[here + 1 :][::-1]]
        found = next((place for place in around if place[1] in marked), None)
        if found is None:
            self._app.notify("There is no other bookmark.")
        else:
            self.show(*found)

    def show_found(self, words: str, found: Found | None) -> None:
        """Highlight words that were searched for, and show a place where they were found."""
        view = self._inspector.view
        if found is not None:
            found = self._in_shown_answer(words, found)
            self.show(found.card, found.answer)
        view.search(words, found)

    def _in_shown_answer(self, words: str, found: Found) -> Found:
        """Return the same place in the answer that is shown, if it shares that part of the text."""
        card = self._notebook.find(found.card)
        if card is None or found.in_note:
            return found
        there = card.answer.full[found.start : found.start + len(words)]
        return replace(found, answer=card.answer.id) if lowered(there) == lowered(words) else found
