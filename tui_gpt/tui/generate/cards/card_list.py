"""The cards of the notebook in one scrolling view, one of them selected. It knows no keys."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.answer_column import LIKELY_TONES
from tui_gpt.tui.generate.controller import Update
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.why.attention_view import LOOKED_TONES
from tui_gpt.tui.text.text_view import TextView


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

    # Cards

    @property
    def cards(self) -> list[CardBlock]:
        """The blocks of the cards."""
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

    def show_cards(self, cards: Iterable[Card]) -> None:
        """Show these cards, reusing the blocks of those that were shown before."""
        existing = {block.card.id: block for block in self.cards}
        blocks = []
        for card in cards:
            block = existing.get(card.id)
            if block is None:
                block = CardBlock(card, show_probabilities=self.shows_probabilities)
            elif block.card is not card:
                block.show(card)
            blocks.append(block)
        self.show(blocks)
        if self.selected is None and blocks:
            self.select(blocks[-1].card.id, reveal=False)

    def show_card(self, card: Card) -> None:
        """Show a card that is new or has changed."""
        block = self.block_of(card.id)
        if block is None:
            self.add(CardBlock(card, show_probabilities=self.shows_probabilities))
            return
        self.grown(self.index_of(block), block.show(card))

    def select(self, card_id: str, *, reveal: bool = True) -> None:
        """Select a card."""
        old, self._selected = self.selected, card_id
        for block, is_selected in ((old, False), (self.selected, True)):
            if block is not None:
                block.selected = is_selected
                self.redraw(self.index_of(block))
        if reveal and (block := self.selected) is not None:
            self.reveal(self.index_of(block), rows=block.height(self.row_width))
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
