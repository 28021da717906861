"""The cards of the notebook in one scrolling view: one is selected, keys act on it, a cursor can walk in its text.

It knows cards as pictures only. What a key asks for is posted as `Asked`; the Generate pane, which has the notebook and
the models, does it.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui_gpt.notebook import Card
from tui_gpt.tui.widgets.answer_card import LIKELY_TONES, CardBlock
from tui_gpt.tui.widgets.text_view import TextView

_ALWAYS = frozenset({"thoughts", "undo", "prompt"})
_WHILE_WRITING = frozenset({"thoughts", "prompt", "copy", "save", "save_markdown", "side_by_side"})


class NotebookView(TextView):
    """Cards, oldest first."""

    TONES = (
        "prompt",
        "written",
        "meta",
        "notice",
        "error",
        "edge",
        "edge-selected",
        "cursor",
        *LIKELY_TONES,
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    NotebookView {
        & .text-view--prompt { color: $text-primary; text-style: bold; }
        & .text-view--written { color: $foreground; }
        & .text-view--meta { color: $text-muted; }
        & .text-view--notice { color: $text-warning; }
        & .text-view--error { color: $text-error; }
        & .text-view--edge { color: $surface-lighten-2; }
        & .text-view--edge-selected { color: $primary; }
        & .text-view--cursor { color: $background; background: $foreground; text-style: bold; }
        & .text-view--likely-0 { color: $text-muted; }
        & .text-view--likely-1 { color: $foreground; }
        & .text-view--likely-2 { color: $text-warning; }
        & .text-view--likely-3 { color: $text-warning; background: $warning-muted; }
        & .text-view--likely-4 { color: $text-error; background: $error-muted; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "select(-1)", "Card above", show=False),
        Binding("down,j", "select(1)", "Card below", show=False),
        Binding("home", "select(-10000)", "First card", show=False),
        Binding("end", "select(10000)", "Last card", show=False),
        Binding("enter,t", "ask('look')", "Look inside", key_display="⏎"),
        Binding("i", "ask('prompt')", "Prompt"),
        Binding("r", "ask('regenerate')", "Again"),
        Binding("R,shift+r", "ask('repeat')", "Same again", show=False),
        Binding("left", "ask('swipe_left')", "Earlier answer", show=False),
        Binding("right", "ask('swipe_right')", "Later answer", show=False),
        Binding("c", "ask('go_on')", "Continue"),
        Binding("e", "ask('edit')", "Edit"),
        Binding("u", "ask('undo')", "Undo"),
        Binding("b", "ask('beside')", "Beside"),
        Binding("v", "ask('side_by_side')", "Side by side", show=False),
        Binding("p", "ask('thoughts')", "Thoughts"),
        Binding("y", "ask('copy')", "Copy"),
        Binding("w", "ask('save')", "Save"),
        Binding("W,shift+w", "ask('save_markdown')", "Save as Markdown", show=False),
        Binding("delete,backspace", "ask('remove')", "Remove", show=False),
    ]
    LOOKING_KEYS: ClassVar[dict[str, int]] = {"left": -1, "right": 1}

    class Asked(Message):
        """A key asked for something to be done with the selected card."""

        def __init__(self, what: str) -> None:
            self.what = what
            super().__init__()

    class Selected(Message):
        """Another card is selected."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._selected: str | None = None
        self.busy: str | None = None
        """The card being written."""
        self.thoughts = False

    # Cards

    @property
    def cards(self) -> list[CardBlock]:
        """The pictures of the cards."""
        return [block for block in self.blocks if isinstance(block, CardBlock)]

    @property
    def selected(self) -> CardBlock | None:
        """The card that keys act on."""
        return self.block_of(self._selected) if self._selected is not None else None

    def block_of(self, card_id: str) -> CardBlock | None:
        """The picture of a card."""
        return next((block for block in self.cards if block.card.id == card_id), None)

    def show_cards(self, cards: Iterable[Card]) -> None:
        """Show these cards, with the pictures there are of them kept."""
        pictures = {block.card.id: block for block in self.cards}
        blocks = []
        for card in cards:
            block = pictures.get(card.id)
            if block is None:
                block = CardBlock(card, thoughts=self.thoughts)
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
            self.add(CardBlock(card, thoughts=self.thoughts))
            return
        block.show(card)
        self.grown(self.index_of(block))

    def index_of(self, block: CardBlock) -> int:
        """Where a card's picture stands."""
        return next(index for index, one in enumerate(self.blocks) if one is block)

    def select(self, card_id: str, *, reveal: bool = True) -> None:
        """Let keys act on this card."""
        old, self._selected = self.selected, card_id
        for block, is_selected in ((old, False), (self.selected, True)):
            if block is not None:
                block.selected = is_selected
                self.redraw(self.index_of(block))
        if reveal and (block := self.selected) is not None:
            self.reveal(self.index_of(block), rows=block.height(self.row_width))
        self.post_message(self.Selected())
        self.refresh_bindings()

    def think(self, thoughts: bool) -> None:
        """Colour all characters by their probabilities, or none."""
        self.thoughts = thoughts
        for block in self.cards:
            block.think(thoughts)
        self.reflow()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that act on a card need one; some of them have to wait until it is written."""
        if action != "ask" or not parameters:
            return True
        what = str(parameters[0])
        block = self.selected
        if block is None:
            return what in _ALWAYS
        if block.card.id == self.busy:
            return what in _WHILE_WRITING
        if block.card.answer.kind == "measured":
            return what not in ("regenerate", "repeat", "go_on", "beside")
        return True

    def action_ask(self, what: str) -> None:
        """Hand the wish to the pane."""
        self.post_message(self.Asked(what))

    def action_select(self, by: int) -> None:
        """Select another card; beyond the last one there is the prompt. A long card is scrolled through first."""
        cards = self.cards
        block = self.selected
        if block is None:
            return
        place = cards.index(block) + by
        if abs(by) == 1 and self._scrolled_within(block, by):
            return
        if place >= len(cards) and by == 1:
            self.post_message(self.Asked("prompt"))
            return
        self.select(cards[min(max(place, 0), len(cards) - 1)].card.id)

    def _scrolled_within(self, block: CardBlock, by: int) -> bool:
        """Scroll a step through a card of which more is to be seen in that direction."""
        index = self.index_of(block)
        top, end = self._tops[index], self._tops[index + 1]
        height = max(1, self.scrollable_content_region.height)
        y = round(self.scroll_y)
        if (by < 0 and top < y) or (by > 0 and end - 1 > y + height):
            self.scroll_to(y=y + by * max(1, height // 2), animate=False, force=True)
            return True
        return False

    def on_focus(self) -> None:
        """The footer shows the card's keys."""
        self.refresh_bindings()
