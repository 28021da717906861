"""The tree of all branches of all cards, and beside it the text of the one under the cursor.

What generates is left to the cards: the screen is dismissed with what to do there.
"""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.widgets import Static

from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.notebook_changes import NotebookChanges, count_cards
from tui_gpt.tui.generate.tree.branch_block import BranchBlock
from tui_gpt.tui.generate.tree.tree_view import TreeView
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.text.text_view import TextView

_REFRESH_SECONDS = 0.5


@dataclass(frozen=True)
class TreeChoice:
    """A branch to show in its card, and what to do with it there."""

    card: str
    answer: str
    action: CardAction | None = None


class BranchText(TextView):
    """The text of a branch."""

    TONES = ("shared", "prompt", "written", "note", "meta")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    BranchText {
        height: 1fr;
        & .text-view--shared { color: $text-muted; }
        & .text-view--prompt { color: $text-primary; text-style: bold; }
        & .text-view--written { color: $foreground; }
        & .text-view--note { color: $text-accent; }
        & .text-view--meta { color: $text-muted; }
    }
    """


class TreeScreen(SizedScreen[TreeChoice | None]):
    """All branches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("tree.open", "choose('')", "Show", key_display="⏎", priority=True),
        key_binding("tree.continue", "choose('continue')", "Continue"),
        key_binding("tree.regenerate", "choose('regenerate')", "Regenerate"),
        key_binding("tree.edit", "choose('edit')", "Edit", show=False),
        key_binding("tree.bookmark", "bookmark", "Bookmark"),
        key_binding("tree.only_bookmarks", "only_bookmarks", "Only bookmarks", show=False),
        key_binding("tree.note", "note", "Note"),
        key_binding("tree.search", "choose('search')", "Search", show=False),
        key_binding("tree.remove", "remove", "Remove", show=False),
        key_binding("tree.undo", "undo", "Undo", show=False),
        key_binding("tree.redo", "redo", "Redo", show=False),
        key_binding("tree.close", "dismiss(None)", "Back", key_display="esc"),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(self, changes: NotebookChanges, place: tuple[str, str] | None) -> None:
        super().__init__()
        self._changes, self._place = changes, place
        self._cards: object = None
        self.only_bookmarks = False

    def compose(self) -> ComposeResult:
        """Lay out tree and text side by side, or one below the other."""
        self.set_size_classes()
        yield Static("", id="tree-title", markup=False)
        with Container(id="tree"):
            yield TreeView(id="tree-rows")
            with Vertical(id="tree-text"):
                yield BranchText()
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Draw, and draw again while a branch is being generated."""
        self.show_branches(self._place)
        self.view.focus()
        self.set_interval(_REFRESH_SECONDS, self._show_generated)

    @property
    def view(self) -> TreeView:
        """The tree."""
        return self.query_one(TreeView)

    def show_branches(self, place: tuple[str, str] | None = None) -> None:
        """Show the branches as they are now, with the cursor on the same one, or on that of `place`."""
        current = self.view.current
        cards = self._cards = self._changes.notebook.cards
        shown = [card for card in cards if card.bookmarks] if self.only_bookmarks else cards
        self.view.show(shown, place or (current.place if current else None))
        branches = len(self.view.rows) - len(shown)
        words = f"{branches:,} branch{'' if branches == 1 else 'es'} of {count_cards(len(shown))}"
        self.query_one("#tree-title", Static).update(f"{words} with bookmarks" if self.only_bookmarks else words)

    def _show_generated(self) -> None:
        if self._cards is not self._changes.notebook.cards:
            self.show_branches()

    @on(TreeView.Moved)
    def _show_text(self) -> None:
        row, text = self.view.current, self.query_one(BranchText)
        block = BranchBlock(row) if row is not None else None
        text.show([block] if block else [])
        if block is not None:
            text.scroll_to(y=0, animate=False, force=True)
            text.reveal(0, block.row_of_branch(), text.size.height // 2)

    @on(TreeView.Opened)
    def _opened(self) -> None:
        self.action_choose("")

    def action_choose(self, action: str) -> None:
        """Leave with the branch of the cursor, and what to do with it."""
        row = self.view.current
        if row is not None:
            answer = row.branch.answer.id if row.branch else row.card.answer.id
            self.dismiss(TreeChoice(row.card.id, answer, CardAction(action) if action else None))

    def action_bookmark(self) -> None:
        """Set or remove the bookmark of the branch."""
        row = self.view.current
        if row is not None and row.branch is not None:
            self._changes.toggle_bookmark(row.card, row.branch.answer.id)
            self.show_branches()

    def action_only_bookmarks(self) -> None:
        """Show only the cards with bookmarks, or all."""
        self.only_bookmarks = not self.only_bookmarks
        self.show_branches()

    def action_note(self) -> None:
        """Write a note on the branch."""
        row = self.view.current
        if row is not None and row.branch is not None:
            self._changes.write_note(row.card, row.branch.answer.id, self.show_branches)

    def action_remove(self) -> None:
        """Remove the branch and those that leave it, or a whole card."""
        row = self.view.current
        if row is not None:
            self._changes.remove_branch(row.card, row.branch.answer.id if row.branch else None)
            self.show_branches()

    def action_undo(self) -> None:
        """Undo the last change of the notebook."""
        self._changes.undo()
        self.show_branches()

    def action_redo(self) -> None:
        """Do again what was undone last."""
        self._changes.redo()
        self.show_branches()

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(HelpScreen("generate"))
