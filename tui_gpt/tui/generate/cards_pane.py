"""The cards of the Generate tab: shows what is being generated, and performs the actions of their keys.

A timer takes what the threads of the controller have generated to the screen.
"""

from collections.abc import Callable
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.controller import GenerateController
from tui_gpt.tui.generate.inspector import Inspector
from tui_gpt.tui.generate.notebook import Card, save_copy
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.text.text_view import TextView

POLL_SECONDS = 0.05
_ONE_ANSWER = (
    "The card has one answer: {card.regenerate} generates another, {card.compare} one with the current model and "
    "settings."
)

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
    }
    """

    class Changed(Message):
        """Cards were added, removed or restored."""

    def __init__(self, controller: GenerateController) -> None:
        super().__init__()
        self.controller = controller
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out cards and legend."""
        yield Inspector(self.controller.lookup)
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

    def show_cards(self) -> None:
        """Show all cards of the notebook."""
        self.view.show_cards(self.controller.notebook.cards)
        self.post_message(self.Changed())

    # Generation

    def generate(self, request: Callable[[], Card]) -> Card:
        """End the generation in progress, begin the requested one, and show its card."""
        self.finish()
        self.inspector.stop_inspecting()
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
            case CardAction.UNDO:
                self._undo()
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
            case CardAction.REMOVE:
                self._remove(card)

    def _show_answer(self, card: Card) -> None:
        """Show another answer of a card."""
        before = self.controller.notebook.find(card.id)
        if before is not None and card.shown != before.shown:
            self.inspector.stop_inspecting()
            self.controller.notebook.show_answer(card.id, card.answer.id)
            self.view.show_card(card)

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

    def _undo(self) -> None:
        self.finish()
        self.inspector.stop_inspecting()
        if not self.controller.notebook.undo():
            self.app.notify("There is nothing to undo.")
        self.show_cards()

    def _remove(self, card: Card) -> None:
        self.inspector.stop_inspecting()
        self.controller.notebook.remove(card)
        self.show_cards()
        self.app.notify(keymap_of(self).fill("Card removed; {card.undo} restores it."), markup=False)

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
        if not isinstance(block, CardBlock):
            return
        if block is self.view.selected and (by := block.arrow_at(event.row, event.column)):
            self._show_answer(block.card.swiped(by))
        elif self.view.inspected is block:
            self.view.put_cursor(event.row, event.column)
        else:
            self.inspector.stop_inspecting()
            self.view.select(block.card.id, reveal=False)
