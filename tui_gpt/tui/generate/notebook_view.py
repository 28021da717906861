"""The cards of the notebook in one scrolling view: one is selected, keys act on it, a cursor can walk in its text.

It knows cards as pictures only. What a key asks for is posted as `Asked`; the Generate pane, which has the notebook and
the models, does it.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui_gpt.tui.generate.answer_card import LIKELY_TONES, CardBlock
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.text_view import TextView

_LOOKING = {"look": "alternatives", "swipe_left": "left", "swipe_right": "right"}
"""What keys mean while the cursor walks."""
_WHILE_LOOKING = frozenset({"look", "looked", "swipe_left", "swipe_right", "thoughts", "copy", "prompt"})
_WHEN_MEASURED = frozenset({"regenerate", "repeat", "go_on", "beside", "several"})
"""What makes no sense for a text that was measured, not written."""
_ALWAYS = frozenset({"thoughts", "undo", "prompt"})
_WHILE_WRITING = frozenset({"thoughts", "prompt", "copy", "save", "save_markdown", "side_by_side"})


class NotebookView(TextView):
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
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    NotebookView {
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
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "select(-1)", "Card above", show=False),
        Binding("down,j", "select(1)", "Card below", show=False),
        Binding("home", "edge(0)", "First card", show=False),
        Binding("end", "edge(-1)", "Last card", show=False),
        Binding("i", "ask('prompt')", "Prompt"),
        Binding("escape", "ask('looked')", "Back", key_display="esc"),
        Binding("r", "ask('regenerate')", "Again"),
        Binding("R,shift+r", "ask('repeat')", "Same again", show=False),
        Binding("left", "ask('swipe_left')", "Earlier answer", show=False),
        Binding("right", "ask('swipe_right')", "Later answer", show=False),
        Binding("c", "ask('go_on')", "Go on"),
        Binding("e", "ask('edit')", "Edit"),
        Binding("p", "ask('thoughts')", "Thoughts"),
        Binding("enter,t", "ask('look')", "Look inside", key_display="⏎"),
        Binding("y,ctrl+c", "ask('copy')", "Copy"),
        Binding("w", "ask('save')", "Save"),
        Binding("W,shift+w", "ask('save_markdown')", "Save as Markdown", show=False),
        Binding("u", "ask('undo')", "Undo"),
        Binding("n", "ask('several')", "Four more"),
        Binding("b", "ask('beside')", "Beside"),
        Binding("v", "ask('side_by_side')", "Side by side", show=False),
        Binding("delete,backspace", "ask('remove')", "Remove", show=False),
    ]

    class Asked(Message):
        """A key asked for something to be done with the selected card."""

        def __init__(self, what: str) -> None:
            self.what = what
            super().__init__()

    class CursorMoved(Message):
        """The cursor stands on another character."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._selected: str | None = None
        self.busy: str | None = None
        """The card being written."""
        self.thoughts = False
        self.looking: CardBlock | None = None
        """The card in whose text the cursor walks."""

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
        self.grown(self.index_of(block), block.show(card))

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
        if what == "looked":
            return self.looking is not None
        if block is None:
            return what in _ALWAYS
        if block.card.id == self.busy:
            return what in _WHILE_WRITING
        if self.looking is not None:
            return what in _WHILE_LOOKING
        return block.card.answer.kind == "written" or what not in _WHEN_MEASURED

    def action_ask(self, what: str) -> None:
        """Hand the wish to the pane."""
        if self.looking is not None and what in _LOOKING:
            what = _LOOKING[what]
        if what in ("left", "right"):
            self._walk(-1 if what == "left" else 1)
            return
        self.post_message(self.Asked(what))

    def action_select(self, by: int) -> None:
        """Select another card; beyond the last one there is the prompt. A long card is scrolled through first."""
        block = self.selected
        if block is None:
            return
        if self.looking is not None:
            self._walk_rows(by)
            return
        cards = self.cards
        place = cards.index(block) + by
        if self._scrolled_within(block, by):
            return
        if place >= len(cards):
            self.post_message(self.Asked("prompt"))
            return
        self.select(cards[max(place, 0)].card.id)

    def action_edge(self, place: int) -> None:
        """Select the first or last card, or go to the first or last character."""
        if self.looking is not None:
            self._put_cursor(0 if place == 0 else len(self.looking.main.passage))
        elif self.cards:
            self.select(self.cards[place].card.id)

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
        """The selected card's edge lights up, the footer shows its keys."""
        self.notify_style_update()
        self.refresh()
        self.refresh_bindings()

    def on_blur(self) -> None:
        """The selected card's edge is quiet."""
        self.notify_style_update()
        self.refresh()

    # A cursor in the text

    def look_inside(self, block: CardBlock) -> None:
        """Let a cursor walk over a card's text, from where the model began to write."""
        self.looking = block
        self._put_cursor(len(block.card.answer.given))

    def stop_looking(self) -> None:
        """Take the cursor away."""
        if self.looking is not None:
            self.looking.main.passage.cursor = None
            self.redraw(self.index_of(self.looking))
            self.looking = None

    def put_cursor(self, row: int, column: int) -> None:
        """Put the cursor on what is shown at a row and column of the card."""
        if self.looking is not None:
            self._put_cursor(self.looking.character_at(row, column))

    def _walk(self, by: int) -> None:
        if self.looking is not None and (cursor := self.looking.main.passage.cursor) is not None:
            self._put_cursor(cursor + by)

    def _walk_rows(self, by: int) -> None:
        if self.looking is None or (cursor := self.looking.main.passage.cursor) is None:
            return
        rows = self.looking.main.passage.rows
        row, column = rows.cell_of(cursor)
        if 0 <= row + by < len(rows):
            self._put_cursor(rows.index_at(row + by, column))

    def _put_cursor(self, index: int) -> None:
        if self.looking is None:
            return
        passage = self.looking.main.passage
        passage.cursor = min(max(index, 0), max(0, len(passage) - 1))
        place = self.index_of(self.looking)
        self.redraw(place)
        self.reveal(place, passage.rows.row_of(passage.cursor))
        self.post_message(self.CursorMoved())

    def reveal_end(self, card_id: str) -> None:
        """Scroll to the last rows of a card."""
        block = self.block_of(card_id)
        if block is not None:
            self.reveal(self.index_of(block), max(0, block.height(self.row_width) - 2), 2)
