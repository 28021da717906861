"""The cards of the Generate tab: shows what is being generated, and performs the actions of their keys.

A timer takes what the threads of the controller have generated to the screen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_actions import CardAction, is_available
from tui_gpt.tui.generate.cards.card_window import MoreBlock
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.controller import GenerateController
from tui_gpt.tui.generate.inspector import Inspector
from tui_gpt.tui.generate.notebook import Card, save_copy
from tui_gpt.tui.generate.notebook_changes import NotebookChanges
from tui_gpt.tui.generate.search_bar import SearchBar
from tui_gpt.tui.generate.walks import DIRECTIONS, Walks
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.text.text_view import TextView

if TYPE_CHECKING:
    from tui_gpt.tui.generate.tree.tree_screen import TreeChoice

POLL_SECONDS = 0.05
_ONE_ANSWER = (
    "The card has one answer: {card.regenerate} generates another, {card.compare} one with the current model and "
    "settings."
)
_MEASURED = "The text was not generated, only its probabilities computed; {card.edit} edits it."
TREE_CHANGES = frozenset({CardAction.CONTINUE, CardAction.REGENERATE, CardAction.EDIT})
"""What the tree can ask for that needs the whole text of a branch."""

LEGEND = (
    "probability of each character:  80 %  [$foreground]40 %[/]  [$text-warning]10 %[/]  "
    "[$text-warning on $warning-muted]2 %[/]  [$text-error on $error-muted b]less[/]"
)
"""The meaning of the colours, in those colours."""


class CardsPane(Vertical):
    """Cards, the alternatives beside them, and the legend of their colours."""

    DEFAULT_CSS = """
    CardsPane {
        height: 1fr;
        & #legend { display: none; height: 1; padding: 0 1; color: $text-muted; }
        &.-probabilities #legend { display: block; }
        & #only-bookmarks { display: none; height: 1; padding: 0 1; color: $text-warning; }
        &.-only-bookmarks #only-bookmarks { display: block; }
    }
    """

    class Changed(Message):
        """Cards were added, removed or restored."""

    def __init__(self, controller: GenerateController) -> None:
        super().__init__()
        self.controller = controller
        self.changes = NotebookChanges(controller.notebook, self, self.show_change, self._finish_card)
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out cards, search and legend."""
        yield Static("", id="only-bookmarks", markup=False)
        yield Inspector(self.controller.lookup)
        yield SearchBar(lambda: self.controller.notebook.cards, self._selected_id)
        yield Static(LEGEND, id="legend")

    def on_mount(self) -> None:
        """Create the timer."""
        self._timer = self.set_interval(POLL_SECONDS, self._poll, pause=True)

    @property
    def inspector(self) -> Inspector:
        """The cards and their alternatives."""
        return self.query_one(Inspector)

    @property
    def view(self) -> NotebookView:
        """The cards."""
        return self.query_one(NotebookView)

    @property
    def search_bar(self) -> SearchBar:
        """The line for words that are searched for."""
        return self.query_one(SearchBar)

    @property
    def walks(self) -> Walks:
        """The ways through the cards."""
        return Walks(self.controller.notebook, self.inspector)

    def _selected_id(self) -> str:
        block = self.view.selected
        return block.card.id if block is not None else ""

    def show_cards(self) -> None:
        """Show all cards of the notebook, or those with bookmarks."""
        cards = self.controller.notebook.cards
        if self.has_class("-only-bookmarks"):
            marked = [card for card in cards if card.bookmarks]
            words = f"{len(marked):,} of {len(cards):,} cards, those with bookmarks: {{card.only_bookmarks}} shows all"
            self.query_one("#only-bookmarks", Static).update(keymap_of(self).fill(words))
            self.view.show_cards(marked)
        else:
            self.view.show_cards(cards)
        self.post_message(self.Changed())

    def show_change(self, card_id: str = "") -> None:
        """Show the notebook after a change that generates nothing, and select a card if it is there."""
        card = self.controller.notebook.find(card_id)
        if card is not None and not card.bookmarks:
            self.set_class(False, "-only-bookmarks")
        self.inspector.stop_inspecting()
        self.show_cards()
        if card is not None:
            self.view.select(card_id)

    def _toggle_only_bookmarks(self) -> None:
        """Show only the cards with bookmarks, or all."""
        if not any(card.bookmarks for card in self.controller.notebook.cards):
            self.set_class(False, "-only-bookmarks")
            self.app.notify(keymap_of(self).fill("There is no bookmark: {card.bookmark} sets one."), markup=False)
        else:
            self.toggle_class("-only-bookmarks")
        self.show_change()

    # Generation

    def generate(self, request: Callable[[], Card]) -> Card:
        """End the generation in progress, begin the requested one, and show its card."""
        self.finish()
        self.inspector.stop_inspecting()
        if self.has_class("-only-bookmarks"):
            self._toggle_only_bookmarks()
        card = request()
        self.view.begin_generation(card, self.controller.generating_ids)
        self.post_message(self.Changed())
        self._resume_timer()
        self.refresh_bindings()
        return card

    def _generate_beside(self, request: Callable[[], Card]) -> None:
        """Generate answers that are shown beside the present one."""
        block = self.view.block_of(self.generate(request).id)
        if block is not None:
            self._set_side_by_side(block, True)

    def _poll(self) -> None:
        """Show what has been generated."""
        update = self.controller.poll()
        if update is not None:
            self.view.update_generation(update)
            if update.is_done:
                self.finish()
        for card in self.controller.take_compared():
            self.view.show_card(card)
        if self._timer is not None and self.controller.is_idle:
            self._timer.pause()

    def _resume_timer(self) -> None:
        if self._timer is not None:
            self._timer.resume()

    def finish(self) -> None:
        """Show the end of the generation in progress, if there is one."""
        if self.controller.is_generating:
            self.view.end_generation(self.controller.finish())
            self.refresh_bindings()

    def _finish_card(self, card_id: str) -> None:
        """End the generation in progress if it is that of a card, or with "" whatever it is."""
        if not card_id or card_id == self.view.generating_card:
            self.stop()

    def stop(self) -> None:
        """Stop the generation in progress at once, keeping what was generated."""
        update = self.controller.poll()
        if update is not None:
            self.view.update_generation(update)
        self.finish()

    # Actions on cards

    @on(NotebookView.ActionRequested)
    def _action_requested(self, event: NotebookView.ActionRequested) -> None:
        """Perform the actions that concern only the cards; the others are for the Generate pane."""
        match event.action:
            case CardAction.TOGGLE_PROBABILITIES:
                self.set_probabilities(not self.view.shows_probabilities)
            case CardAction.UNDO | CardAction.REDO | CardAction.IMPORT:
                self.change(event.action)
            case CardAction.ONLY_BOOKMARKS:
                self._toggle_only_bookmarks()
            case CardAction.SEARCH:
                self.search_bar.open()
            case CardAction.NEXT_FOUND | CardAction.PREVIOUS_FOUND:
                self.search_bar.action_go(1 if event.action is CardAction.NEXT_FOUND else -1)
            case CardAction.END_SEARCH:
                self.search_bar.action_close()
            case CardAction.STOP_INSPECTING:
                self.inspector.stop_inspecting()
            case action if (block := self.view.selected) is not None:
                self._act_on_card(action, block)

    @on(Inspector.BranchRequested)
    def _branch(self, event: Inspector.BranchRequested) -> None:
        self.generate(lambda: self.controller.branch(event.card, event.index, event.character))
        self.view.focus()

    def _act_on_card(self, action: CardAction, block: CardBlock) -> None:
        control, card = self.controller, block.card
        match action:
            case CardAction.REGENERATE:
                self.generate(lambda: control.regenerate(card))
            case CardAction.REPEAT:
                self.generate(lambda: control.repeat(card))
            case CardAction.CONTINUE:
                self.generate(lambda: control.continue_answer(card))
            case CardAction.BATCH:
                self._generate_beside(lambda: control.generate_batch(card))
            case CardAction.COMPARE:
                self._generate_beside(lambda: control.compare(card))
            case CardAction.PREVIOUS_ANSWER | CardAction.NEXT_ANSWER:
                self._show_answer(card.swiped(-1 if action is CardAction.PREVIOUS_ANSWER else 1))
            case CardAction.TOGGLE_COLUMNS:
                self._set_side_by_side(block, not block.side_by_side)
            case CardAction.INSPECT:
                self.inspector.inspect(block)
            case CardAction.COPY:
                self._copy(card)
            case CardAction.SAVE_TEXT | CardAction.SAVE_MARKDOWN:
                self._save(card, markdown=action is CardAction.SAVE_MARKDOWN)
            case CardAction.TREE:
                self.open_tree((card.id, card.answer.id))
            case CardAction.PARENT | CardAction.CHILD | CardAction.PREVIOUS_SIBLING | CardAction.NEXT_SIBLING:
                self.walks.go(block, DIRECTIONS[action])
            case CardAction.PREVIOUS_BOOKMARK | CardAction.NEXT_BOOKMARK:
                self.walks.go_to_bookmark(block, 1 if action is CardAction.NEXT_BOOKMARK else -1)
            case _:
                self._change_card(action, card)

    def _change_card(self, action: CardAction, card: Card) -> None:
        match action:
            case CardAction.BOOKMARK:
                self.changes.toggle_bookmark(card, card.answer.id)
            case CardAction.NOTE:
                self.changes.write_note(card, card.answer.id)
            case CardAction.REMOVE:
                self.changes.remove(card)
            case CardAction.REMOVE_BRANCH:
                self.changes.remove_branch(card, card.answer.id)
            case CardAction.REMOVE_ALL:
                self.changes.remove_all()
            case CardAction.EXPORT:
                self.changes.ask_export()

    def change(self, action: CardAction) -> None:
        """Perform a change that needs no card."""
        match action:
            case CardAction.UNDO:
                self.changes.undo()
            case CardAction.REDO:
                self.changes.redo()
            case CardAction.IMPORT:
                self.changes.ask_import()

    # Tree and search

    def open_tree(self, place: tuple[str, str]) -> None:
        """Show the tree of all branches, with the cursor on an answer of a card."""
        from tui_gpt.tui.generate.tree.tree_screen import TreeScreen

        self.app.push_screen(TreeScreen(self.changes, place), self._leave_tree)

    def _leave_tree(self, choice: "TreeChoice | None") -> None:
        self.view.focus()
        if choice is None:
            return
        if choice.action in TREE_CHANGES:
            self._finish_card(choice.card)
        self.set_class(False, "-only-bookmarks")
        self.show_cards()
        card = self.walks.show(choice.card, choice.answer)
        if choice.action is None:
            return
        if is_available(choice.action, card, is_generating=False, is_inspecting=False):
            self.view.post_message(NotebookView.ActionRequested(choice.action))
        else:
            self.app.notify(keymap_of(self).fill(_MEASURED), markup=False)

    @on(SearchBar.Moved)
    def _show_found(self, event: SearchBar.Moved) -> None:
        if self.has_class("-only-bookmarks") and event.found is not None:
            self.set_class(False, "-only-bookmarks")
            self.show_cards()
        self.walks.show_found(event.words, event.found)

    @on(SearchBar.Left)
    def _leave_search(self) -> None:
        self.view.focus()

    def _show_answer(self, card: Card) -> None:
        """Show another answer of a card."""
        before = self.controller.notebook.find(card.id)
        if before is not None and card.answer.id != before.answer.id:
            self.walks.show(card.id, card.answer.id)

    def _set_side_by_side(self, block: CardBlock, side_by_side: bool) -> None:
        if side_by_side and len(block.card.answers) < 2:
            self.app.notify(keymap_of(self).fill(_ONE_ANSWER), markup=False)
            return
        self.inspector.stop_inspecting()
        self.view.set_side_by_side(block, side_by_side)

    def set_probabilities(self, shown: bool) -> None:
        """Colour all characters by their probabilities, or none."""
        if shown != self.view.shows_probabilities:
            self.view.set_probabilities(shown)
            self.set_class(shown, "-probabilities")

    def _copy(self, card: Card) -> None:
        text = self.controller.text_of(card)
        self.app.copy_to_clipboard(text)
        self.app.notify(f"Copied {len(text):,} characters.")

    def _save(self, card: Card, *, markdown: bool) -> None:
        """Save a copy in the working directory, or in the home directory if that cannot be written to."""
        for folder in (".", "~"):
            try:
                path = save_copy(card, Path(folder).expanduser(), markdown=markdown).absolute()
            except (OSError, RuntimeError):
                continue
            self.app.notify(f"Saved as {path}", markup=False)
            return
        self.app.notify("Neither this folder nor your home can be written to.", severity="error")

    @on(TextView.Pressed)
    def _pressed(self, event: TextView.Pressed) -> None:
        """Select the pressed card; on the selected one, follow an arrow or move the text cursor."""
        block = self.view.blocks[event.index]
        if isinstance(block, MoreBlock):
            self.view.extend(block.by)
        if not isinstance(block, CardBlock):
            return
        if block is self.view.selected and (by := block.arrow_at(event.row, event.column)):
            self._show_answer(block.card.swiped(by))
        elif self.view.inspected is block:
            self.view.put_cursor(event.row, event.column)
        else:
            self.inspector.stop_inspecting()
            self.view.select(block.card.id, reveal=False)
