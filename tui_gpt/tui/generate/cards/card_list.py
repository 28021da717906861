"""The cards of the notebook in one scrolling view, one of them selected. It knows no keys."""

from collections.abc import Sequence
from typing import ClassVar

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.answer_column import LIKELY_TONES
from tui_gpt.tui.generate.cards.card_window import CardWindow, MoreBlock
from tui_gpt.tui.generate.controller import Update
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.search import Found
from tui_gpt.tui.generate.why.attention_view import LOOKED_TONES
from tui_gpt.tui.text.text_view import Block, TextView


def waiting_words(seconds: float) -> str:
    """Return how long something has been waited for, to follow an ellipsis; "" within the first second."""
    return f" {int(seconds)} s" if seconds >= 1.0 else ""


class CardList(TextView):
    """Cards, oldest first."""

    TONES = (
        "prompt",
        "written",
        "meta",
        "meta-shown",
        "notice",
        "error",
        "edge",
        "edge-selected",
        "pen",
        "cursor",
        "note",
        "note-found",
        "found",
        "found-here",
        *LIKELY_TONES,
        *LOOKED_TONES,
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    CardList {
        & .text-view--prompt { color: $text-primary; text-style: bold; }
        & .text-view--written { color: $foreground; }
        & .text-view--meta { color: $text-muted; }
        & .text-view--meta-shown { color: $foreground; }
        & .text-view--notice { color: $text-warning; }
        & .text-view--error { color: $text-error; }
        & .text-view--edge { color: $panel; }
        & .text-view--edge-selected { color: $primary-muted; }
        &:focus .text-view--edge-selected { color: $primary; }
        & .text-view--pen { color: $primary; }
        & .text-view--cursor { color: $background; background: $foreground; text-style: bold; }
        & .text-view--note { color: $text-accent; }
        & .text-view--note-found { color: $text-warning; background: $warning-muted; }
        & .text-view--found { color: $text-warning; background: $warning-muted; }
        & .text-view--found-here { color: $background; background: $warning; text-style: bold; }
        & .text-view--likely-0 { color: $text-muted; }
        & .text-view--likely-1 { color: $foreground; }
        & .text-view--likely-2 { color: $text-warning; }
        & .text-view--likely-3 { color: $text-warning; background: $warning-muted; }
        & .text-view--likely-4 { color: $text-error; background: $error-muted; text-style: bold; }
        & .text-view--looked-1 { color: $text-accent; text-style: underline; }
        & .text-view--looked-2 { color: $text-accent; background: $accent-muted; }
        & .text-view--looked-3 { color: $text-accent; background: $accent-muted; text-style: bold underline; }
        & .text-view--looked-4 { color: $background; background: $text-accent; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._selected: str | None = None
        self.generating_card: str | None = None
        """The id of the card being generated."""
        self.shows_probabilities = False
        self.window = CardWindow()
        """All cards, and which of them are on display."""
        self.words = ""
        """The words that are searched for."""

    # Cards

    @property
    def cards(self) -> list[CardBlock]:
        """The blocks of the cards on display."""
        return [block for block in self.blocks if isinstance(block, CardBlock)]

    @property
    def selected(self) -> CardBlock | None:
        """The card that keys act on."""
        return self.block_of(self._selected) if self._selected is not None else None

    def block_of(self, card_id: str) -> CardBlock | None:
        """Return the block of a card."""
        return next((block for block in self.cards if block.card.id == card_id), None)

    def index_of(self, block: CardBlock) -> int:
        """Return the position of a card's block."""
        return next(index for index, one in enumerate(self.blocks) if one is block)

    def show_cards(self, cards: Sequence[Card]) -> None:
        """Show these cards, reusing the blocks of those that were shown before."""
        self.window.show(cards, self._selected)
        self._show_window()
        if not self.window.visible:
            return
        if self.selected is None:
            self.select(self.window.visible[-1].id, reveal=False)
        elif self._selected != self.window.cards[-1].id:
            self.select(self._selected or "")

    def _show_window(self) -> None:
        existing = {block.card.id: block for block in self.cards}
        blocks: list[Block] = []
        for card in self.window.visible:
            block = existing.get(card.id)
            if block is None:
                block = self._new_block(card)
            elif block.card is not card:
                block.show(card)
            blocks.append(block)
        earlier, later = self.window.start, len(self.window.cards) - self.window.end
        self.show([*([MoreBlock(-1, earlier)] * (earlier > 0)), *blocks, *([MoreBlock(1, later)] * (later > 0))])

    def _new_block(self, card: Card) -> CardBlock:
        block = CardBlock(card, show_probabilities=self.shows_probabilities)
        block.selected = card.id == self._selected
        block.search(self.words)
        return block

    def show_card(self, card: Card) -> None:
        """Show a card that is new or has changed."""
        is_new = self.window.put(card)
        block = self.block_of(card.id)
        if is_new:
            self._show_window()
        elif block is not None:
            self.grown(self.index_of(block), block.show(card))
        elif card.id == self.window.visible[-1].id:
            self.add(self._new_block(card))

    def extend(self, by: int) -> None:
        """Show more cards above (-1) or below (1), and leave those on display where they are."""
        rows, y = self.total_rows, round(self.scroll_y)
        if self.window.extend(by):
            self._show_window()
            if by < 0:
                self.scroll_to(y=y + self.total_rows - rows, animate=False, force=True)

    def need_above(self, block: CardBlock) -> None:
        """Show more cards if a card is the first one on display."""
        if self.cards[0] is block:
            self.extend(-1)

    def need_below(self, block: CardBlock) -> None:
        """Show more cards if a card is the last one on display."""
        if self.cards[-1] is block:
            self.extend(1)

    def select(self, card_id: str, *, reveal: bool = True) -> None:
        """Select a card."""
        old, self._selected = self.selected, card_id
        if self.window.move_to(card_id):
            self._show_window()
        for block, is_selected in ((old, False), (self.selected, True)):
            if block is not None:
                block.selected = is_selected
                if block in self.blocks:
                    self.redraw(self.index_of(block))
        if reveal:
            self.reveal_selected()
        self.refresh_bindings()

    def reveal_selected(self) -> None:
        """Scroll to the selected card."""
        if (block := self.selected) is not None:
            self.reveal(self.index_of(block), rows=block.height(self.row_width))

    def search(self, words: str, found: Found | None = None) -> None:
        """Highlight words in all cards, and reveal a place where they were found."""
        self.words = words
        for block in self.cards:
            here = found is not None and not found.in_note and found.card == block.card.id
            block.search(words, (found.answer, found.start) if found is not None and here else None)
        self.reflow()
        if found is not None and (shown := self.block_of(found.card)) is not None:
            shown.height(self.row_width)
            rows = shown.main.passage.rows
            row = len(rows) if found.in_note else rows.row_of(found.start)
            self.reveal(self.index_of(shown), row, 2)
        self.refresh_bindings()

    def set_probabilities(self, shown: bool) -> None:
        """Colour all characters by their probabilities, or none."""
        self.shows_probabilities = shown
        for block in self.cards:
            block.set_probabilities(shown)
        self.reflow()

    def set_side_by_side(self, block: CardBlock, side_by_side: bool) -> None:
        """Show a card's answers in columns, or one of them."""
        block.set_side_by_side(side_by_side)
        self.grown(self.index_of(block))

    def reveal_end(self, card_id: str) -> None:
        """Scroll to the last rows of a card."""
        block = self.block_of(card_id)
        if block is not None:
            self.reveal(self.index_of(block), max(0, block.height(self.row_width) - 2), 2)

    # The card being generated

    def begin_generation(self, card: Card, answer_ids: Sequence[str]) -> None:
        """Show a card whose model is being opened."""
        self.generating_card = card.id
        self.show_card(card)
        self.select(card.id, reveal=False)
        if (block := self.block_of(card.id)) is not None:
            block.set_stage("opening", answer_ids)
            self.grown(self.index_of(block), block.last_text_row)
        self.reveal_end(card.id)

    def update_generation(self, update: Update) -> None:
        """Show what was generated, and how long nothing has been."""
        block = self.block_of(update.card_id)
        if block is None:
            return
        if update.opened is not None:
            block.set_stage("opening")
            self.show_card(update.opened)
            block.set_stage("generating", tuple(update.bursts))
            self.grown(self.index_of(block), block.last_text_row)
        if block.stage == "generating":
            row = block.grow(update.bursts, update.seconds)
            if row is not None:
                self.grown(self.index_of(block), row)
        self._show_waiting(block, waiting_words(update.waiting_seconds))

    def _show_waiting(self, block: CardBlock, words: str) -> None:
        if words != block.waiting:
            block.waiting = words
            self.grown(self.index_of(block), block.last_text_row)

    def end_generation(self, card: Card | None) -> None:
        """Show the finished card; None if it has been removed."""
        block = None if self.generating_card is None else self.block_of(self.generating_card)
        self.generating_card = None
        if block is not None:
            block.set_stage("")
            self.grown(self.index_of(block), block.last_text_row)
        if card is not None:
            self.show_card(card)
        self.refresh_bindings()
