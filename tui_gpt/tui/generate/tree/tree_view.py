"""The tree of branches as a list of drawn rows, with a cursor.

Only rows on screen are made. Textual's Tree has a node for each branch and lays out all of them at every change, which
takes seconds with thousands of cards.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_gpt.tui.generate.cards.card_notes import BOOKMARK_SYMBOL, NOTE_SYMBOL
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.branches import Branch, Direction
from tui_gpt.tui.generate.tree.tree_rows import TreeRow, TreeRows
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.text.wrap import glyphs

_MAX_GUIDES = 12
"""Levels that are drawn by guides; deeper ones are at the same place."""
_MAX_NOTE = 30
"""Cells of a note beside the words of a branch."""
_WORDS = 200
"""Characters that may be on a row."""
_TONES = ("heading", "words", "guide", "bookmark", "note", "shown", "count", "cursor", "blurred-cursor")

Piece = tuple[str, str]
"""Words and their tone."""


class TreeView(ScrollView, can_focus=True):
    """Cards and their branches, one per row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tree-view--{tone}" for tone in _TONES}
    DEFAULT_CSS = """
    TreeView {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        & .tree-view--heading { color: $text-primary; text-style: bold; }
        & .tree-view--words { color: $foreground; }
        & .tree-view--guide { color: $text-muted; }
        & .tree-view--count { color: $text-muted; }
        & .tree-view--bookmark { color: $text-warning; }
        & .tree-view--note { color: $text-accent; }
        & .tree-view--shown { color: $text-primary; }
        & .tree-view--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & .tree-view--blurred-cursor { background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("tree.above", "move(-1)", "Row above", show=False),
        key_binding("tree.below", "move(1)", "Row below", show=False),
        key_binding("tree.page_up", "move_page(-1)", "Page up", show=False),
        key_binding("tree.page_down", "move_page(1)", "Page down", show=False),
        key_binding("tree.first", "move(-1_000_000_000)", "First row", show=False),
        key_binding("tree.last", "move(1_000_000_000)", "Last row", show=False),
        key_binding("tree.parent", "go('parent')", "Parent", show=False),
        key_binding("tree.child", "go('child')", "Child", show=False),
        key_binding("tree.previous_sibling", "go('previous')", "Previous sibling", show=False),
        key_binding("tree.next_sibling", "go('next')", "Next sibling", show=False),
        key_binding("tree.previous_bookmark", "bookmark(-1)", "Previous bookmark", show=False),
        key_binding("tree.next_bookmark", "bookmark(1)", "Next bookmark", show=False),
    ]

    cursor = reactive(0)
    """The row of the cursor."""

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row of the cursor was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = TreeRows(())

    @property
    def current(self) -> TreeRow | None:
        """The row of the cursor; None without any."""
        return self.rows.row(self.cursor) if self.cursor < len(self.rows) else None

    def show(self, cards: Sequence[Card], place: tuple[str, str] | None) -> None:
        """Show the branches of these cards, with the cursor on an answer of a card."""
        self.rows = TreeRows(cards)
        number = None if place is None else self.rows.number_of(*place)
        self.virtual_size = Size(0, len(self.rows))
        self.set_reactive(TreeView.cursor, min(self.cursor if number is None else number, max(0, len(self.rows) - 1)))
        self.watch_cursor()

    def watch_cursor(self) -> None:
        self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def _scroll_to_cursor(self) -> None:
        height = max(1, self.size.height)
        first = min(self.scroll_offset.y, self.cursor)
        first = max(first, self.cursor - height + 1)
        if first != self.scroll_offset.y:
            self.scroll_to(y=first, animate=False, force=True)

    def on_resize(self) -> None:
        """Keep the cursor visible."""
        self._scroll_to_cursor()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a row."""
        width, number = self.scrollable_content_region.width, y + self.scroll_offset.y
        if number >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        is_here = number == self.cursor
        name = "cursor" if self.has_focus else "blurred-cursor"
        here = self.get_component_rich_style(f"tree-view--{name}", partial=True) if is_here else None
        segments = []
        for words, tone in row_pieces(self.rows.row(number), width):
            style = self.get_component_rich_style(f"tree-view--{tone}")
            segments.append(Segment(words, style + here if here else style))
        return Strip(segments).adjust_cell_length(width, segments[-1].style)

    # Keys and the mouse

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor = min(max(0, self.cursor + rows), max(0, len(self.rows) - 1))

    def action_move_page(self, pages: int) -> None:
        """Move the cursor by some screens."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_go(self, direction: Direction) -> None:
        """Move the cursor to the parent, the first child or a sibling."""
        if self.current is not None:
            self._go_to(self.rows.neighbour(self.cursor, direction))

    def action_bookmark(self, by: int) -> None:
        """Move the cursor to the next or the previous bookmark."""
        if self.current is not None:
            self._go_to(self.rows.bookmark(self.cursor, by))

    def _go_to(self, number: int | None) -> None:
        if number is not None:
            self.cursor = number

    def on_click(self, event: events.Click) -> None:
        """Move the cursor, or open the row under it."""
        number = event.y + self.scroll_offset.y
        if number < len(self.rows):
            was_here, self.cursor = number == self.cursor, number
            if was_here:
                self.post_message(self.Opened())

    def on_focus(self) -> None:
        """Draw the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Mute the cursor."""
        self.refresh()


def row_pieces(row: TreeRow, width: int) -> Iterator[Piece]:
    """Yield the words of a row with their tones, in `width` cells."""
    card, branch = row.card, row.branch
    if branch is None:
        count = len(card.nodes)
        number = f" {count} branches" if count > 1 else ""
        yield (
            fitted(_one_line(card.answer.prompt or card.answer.full) or "no prompt", max(1, width - len(number))),
            "heading",
        )
        yield number, "count"
        return
    marks = _marks(row, min(_MAX_NOTE, width // 3))
    guide = _guide(branch)
    mark = "●" if card.answer.id == branch.answer.id else " "
    taken = len(mark) + cell_len(guide) + sum(cell_len(words) for words, _ in marks)
    yield mark, "shown"
    yield guide, "guide"
    yield fitted(_one_line(_own(row)) or "nothing generated", max(1, width - taken)), "words"
    yield from marks


def _own(row: TreeRow) -> str:
    """Return the words of a branch, without a prompt that is in the heading."""
    if row.branch is None or row.branch.parent:
        return row.branch.own if row.branch else ""
    return row.branch.answer.full.removeprefix(row.card.answer.prompt)


def _marks(row: TreeRow, note_width: int) -> list[Piece]:
    """Return bookmark and note of a branch, the note in at most `note_width` cells."""
    if row.branch is None:
        return []
    name = row.branch.answer.id
    marks: list[Piece] = []
    if note := row.card.notes.get(name):
        words = _one_line(note)
        marks.append((f" {NOTE_SYMBOL} {fitted(words, min(cell_len(words), note_width))}", "note"))
    if name in row.card.bookmarks:
        marks.append((f" {BOOKMARK_SYMBOL}", "bookmark"))
    return marks


def _guide(branch: Branch) -> str:
    """Return the lines that lead to a branch."""
    levels = "".join("│ " if goes_on else "  " for goes_on in branch.guides[-_MAX_GUIDES:])
    return f"{levels}{'┊ ' if branch.is_continuation else '└╴' if branch.is_last else '├╴'}"


def _one_line(text: str) -> str:
    return glyphs(text[:_WORDS].strip().replace("\n", "↵"))
