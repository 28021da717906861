"""The notebook's cards with their keys, and a text cursor that walks through the selected card.

What a key asks for is posted as `ActionRequested`; the Generate pane, which owns the notebook and the models, does it.
"""

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_actions import CardAction, is_available
from tui_gpt.tui.generate.cards.card_list import CardList
from tui_gpt.tui.keys import key_binding


class NotebookView(CardList):
    """Cards that keys act on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("card.above", "select(-1)", "Card above", show=False),
        key_binding("card.below", "select(1)", "Card below", show=False),
        key_binding("card.first", "edge(0)", "First card", show=False),
        key_binding("card.last", "edge(-1)", "Last card", show=False),
        key_binding("card.focus_prompt", "request('focus_prompt')", "Prompt", show=False),
        key_binding("card.stop_inspecting", "request('stop_inspecting')", "Back", key_display="esc"),
        key_binding("card.regenerate", "request('regenerate')", "Regenerate"),
        key_binding("card.repeat", "request('repeat')", "Repeat with the same seed", show=False),
        key_binding("card.previous_answer", "request('previous_answer')", "Previous answer", show=False),
        key_binding("card.next_answer", "request('next_answer')", "Next answer", show=False),
        key_binding("card.continue", "request('continue')", "Continue"),
        key_binding("card.edit", "request('edit')", "Edit", show=False),
        key_binding("card.toggle_probabilities", "request('toggle_probabilities')", "Probabilities", show=False),
        key_binding("card.inspect", "request('inspect')", "Alternatives", key_display="⏎"),
        key_binding("card.copy", "request('copy')", "Copy", show=False),
        key_binding("card.save_text", "request('save_text')", "Save", show=False),
        key_binding("card.save_markdown", "request('save_markdown')", "Save as Markdown", show=False),
        key_binding("card.undo", "request('undo')", "Undo", show=False),
        key_binding("card.batch", "request('batch')", "Four more", show=False),
        key_binding("card.compare", "request('compare')", "Compare", show=False),
        key_binding("card.toggle_columns", "request('toggle_columns')", "Side by side", show=False),
        key_binding("card.redo", "request('redo')", "Redo", show=False),
        key_binding("card.remove", "request('remove')", "Remove", show=False),
        key_binding("card.remove_branch", "request('remove_branch')", "Remove the branch", show=False),
        key_binding("card.remove_all", "request('remove_all')", "Remove all", show=False),
        key_binding("card.tree", "request('tree')", "Tree"),
        key_binding("card.parent", "request('parent')", "Parent", show=False),
        key_binding("card.child", "request('child')", "First child", show=False),
        key_binding("card.previous_sibling", "request('previous_sibling')", "Previous sibling", show=False),
        key_binding("card.next_sibling", "request('next_sibling')", "Next sibling", show=False),
        key_binding("card.bookmark", "request('bookmark')", "Bookmark", show=False),
        key_binding("card.previous_bookmark", "request('previous_bookmark')", "Previous bookmark", show=False),
        key_binding("card.next_bookmark", "request('next_bookmark')", "Next bookmark", show=False),
        key_binding("card.only_bookmarks", "request('only_bookmarks')", "Only bookmarks", show=False),
        key_binding("card.note", "request('note')", "Note", show=False),
        key_binding("card.search", "request('search')", "Search"),
        key_binding("card.search", "search_again", "Search", show=False),
        key_binding("card.next_found", "request('next_found')", "Next found", show=False),
        key_binding("card.previous_found", "request('previous_found')", "Previous found", show=False),
        key_binding("card.end_search", "request('end_search')", "Back", key_display="esc"),
        key_binding("card.export", "request('export')", "Export", show=False),
        key_binding("card.import", "request('import')", "Import", show=False),
    ]

    class ActionRequested(Message):
        """A key requested an action on the selected card."""

        def __init__(self, action: CardAction) -> None:
            self.action = action
            super().__init__()

    class AlternativesRequested(Message):
        """The keyboard is to move from the text to the alternatives."""

    class CursorMoved(Message):
        """The text cursor is on another character."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspected: CardBlock | None = None
        """The card in whose text the cursor walks."""

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the keys that make no sense for the selected card."""
        if action != "request" or not parameters:
            return True
        block, requested = self.selected, CardAction(str(parameters[0]))
        if requested is CardAction.END_SEARCH:
            return bool(self.words) and self.inspected is None
        if requested in (CardAction.NEXT_FOUND, CardAction.PREVIOUS_FOUND) and not self.words:
            return False
        if requested is CardAction.SEARCH and self.words:
            return False
        return is_available(
            requested,
            None if block is None else block.card,
            is_generating=block is not None and block.card.id == self.generating_card,
            is_inspecting=self.inspected is not None,
        )

    def action_request(self, name: str) -> None:
        """Post an action; while a card is inspected, the arrows and Enter belong to its cursor."""
        action = CardAction(name)
        if self.inspected is None:
            self.post_message(self.ActionRequested(action))
            return
        match action:
            case CardAction.PREVIOUS_ANSWER:
                self._move_cursor(-1)
            case CardAction.NEXT_ANSWER:
                self._move_cursor(1)
            case CardAction.INSPECT:
                self.post_message(self.AlternativesRequested())
            case _:
                self.post_message(self.ActionRequested(action))

    def action_search_again(self) -> None:
        """Search for other words."""
        self.post_message(self.ActionRequested(CardAction.SEARCH))

    def action_select(self, by: int) -> None:
        """Select the card above or below, or the prompt below the last card; scroll through a long card first."""
        block = self.selected
        if block is None:
            return
        if self.inspected is not None:
            self._move_cursor_rows(by)
            return
        if self._scroll_within(block, by):
            return
        if by < 0:
            self.need_above(block)
        else:
            self.need_below(block)
        cards = self.cards
        place = cards.index(block) + by
        if place >= len(cards):
            self.post_message(self.ActionRequested(CardAction.FOCUS_PROMPT))
            return
        self.select(cards[max(place, 0)].card.id)

    def action_edge(self, place: int) -> None:
        """Select the first or last card, or move the cursor to the first or last character."""
        if self.inspected is not None:
            self._set_cursor(0 if place == 0 else len(self.inspected.main.passage))
        elif self.window.cards:
            self.select(self.window.cards[place].id)

    def _scroll_within(self, block: CardBlock, by: int) -> bool:
        """Scroll by half a screen if more of the card lies in that direction; return whether it does."""
        top, end = self.span_of(self.index_of(block))
        height = max(1, self.scrollable_content_region.height)
        y = round(self.scroll_y)
        if (by < 0 and top < y) or (by > 0 and end - 1 > y + height):
            self.scroll_to(y=y + by * max(1, height // 2), animate=False, force=True)
            return True
        return False

    def on_focus(self) -> None:
        """Highlight the selected card's edge, and show its keys."""
        self.notify_style_update()
        self.refresh()
        self.refresh_bindings()

    def on_blur(self) -> None:
        """Mute the selected card's edge."""
        self.notify_style_update()
        self.refresh()

    # The text cursor

    def inspect(self, block: CardBlock, cursor: int | None = None) -> None:
        """Put a cursor on a character of a card, by default the first generated one."""
        self.inspected = block
        self._set_cursor(len(block.card.answer.given) if cursor is None else cursor)

    def stop_inspecting(self) -> None:
        """Remove the cursor."""
        if self.inspected is not None:
            self.inspected.main.passage.cursor = None
            self.inspected.main.passage.marks = {}
            self.redraw(self.index_of(self.inspected))
            self.inspected = None

    def reveal_cursor(self) -> None:
        """Scroll to the cursor, if there is one."""
        if self.inspected is not None and (cursor := self.inspected.main.passage.cursor) is not None:
            self.reveal(self.index_of(self.inspected), self.inspected.main.passage.rows.row_of(cursor))

    def mark(self, marks: Mapping[int, str]) -> None:
        """Draw characters of the inspected card, by their index in the text, in other tones."""
        if self.inspected is not None and marks != self.inspected.main.passage.marks:
            self.inspected.main.passage.marks = marks
            self.redraw(self.index_of(self.inspected))

    def put_cursor(self, row: int, column: int) -> None:
        """Put the cursor on the character at a row and column of the card."""
        if self.inspected is not None:
            self._set_cursor(self.inspected.character_at(row, column))

    def _move_cursor(self, by: int) -> None:
        if self.inspected is not None and (cursor := self.inspected.main.passage.cursor) is not None:
            self._set_cursor(cursor + by)

    def _move_cursor_rows(self, by: int) -> None:
        if self.inspected is None or (cursor := self.inspected.main.passage.cursor) is None:
            return
        rows = self.inspected.main.passage.rows
        row, column = rows.cell_of(cursor)
        if 0 <= row + by < len(rows):
            self._set_cursor(rows.index_at(row + by, column))

    def _set_cursor(self, index: int) -> None:
        if self.inspected is None:
            return
        passage = self.inspected.main.passage
        passage.cursor = min(max(index, 0), max(0, len(passage) - 1))
        self.redraw(self.index_of(self.inspected))
        self.reveal_cursor()
        self.post_message(self.CursorMoved())
