"""The Generate tab: a prompt at the bottom, the notebook's cards above, and between them the sampling settings.

It looks like a chat and works as a notebook: a character model completes text, so every card is a text that can be
continued, edited, branched and generated again. The pane connects its widgets to a `GenerateController`; a timer takes
what its threads have generated to the screen.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.seeds import draw_seed
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs import RunStore, RunSummary
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.cards_pane import CardsPane
from tui_gpt.tui.generate.controller import GenerateController
from tui_gpt.tui.generate.notebook import Card, save_copy
from tui_gpt.tui.generate.prompt.model_chooser import Checkpoints, ModelChooser, checkpoints_of, source_label
from tui_gpt.tui.generate.prompt.prompt_box import PromptBox
from tui_gpt.tui.generate.prompt.sampling_controls import SamplingControls
from tui_gpt.tui.generate.prompt.welcome import Welcome
from tui_gpt.tui.text.text_view import TextView

POLL_SECONDS = 0.05

LEGEND = (
    "probability of each character:  80 %  [$foreground]40 %[/]  [$text-warning]10 %[/]  "
    "[$text-warning on $warning-muted]2 %[/]  [$text-error on $error-muted b]less[/]"
)
"""The meaning of the colours, in those colours."""
_PROBLEM_SECONDS = 10.0


class GeneratePane(Widget):
    """Prompt, cards, settings."""

    DEFAULT_CSS = """
    GeneratePane {
        layout: vertical;
        height: 1fr;
        & SamplingControls { margin: 0 1; }
        &.-empty CardsPane { display: none; }
        & Welcome { display: none; }
        &.-empty Welcome { display: block; }
        & #legend { display: none; height: 1; margin: 0 1; color: $text-muted; }
        &.-probabilities #legend { display: block; }
        &.-empty #legend { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop_generating", "Stop", key_display="esc", priority=True),
        Binding("ctrl+c", "stop_generating", "Stop", show=False, priority=True),
        Binding("ctrl+t", "next_preset", "Next sampling preset", key_display="^t", show=False),
        Binding("ctrl+o", "choose_model", "Model", show=False),
    ]

    def __init__(
        self,
        session: SessionLike,
        state: AppState,
        *,
        store: RunStore | None = None,
        draw_seed: Callable[[], int] = draw_seed,
    ) -> None:
        super().__init__()
        self._store = store or RunStore()
        self._state = state
        self.controller = GenerateController(session, state, self._report, draw_seed)
        self._edited: str | None = None
        """The id of the card whose text is in the prompt box to be edited."""
        self._timer: Timer | None = None

    def _report(self, sentence: str) -> None:
        self.app.notify(sentence, severity="error", markup=False, timeout=_PROBLEM_SECONDS)

    # Content

    def compose(self) -> ComposeResult:
        """Lay out cards, settings and prompt."""
        yield Welcome()
        yield CardsPane(self.controller.lookup)
        yield Static(LEGEND, id="legend")
        yield SamplingControls(self._state.sampling)
        yield PromptBox()

    def on_mount(self) -> None:
        """Begin empty; the history follows when it has been read."""
        self._timer = self.set_interval(POLL_SECONDS, self._poll, pause=True)
        self.set_class(True, "-empty")
        self._label_box()
        self.screen.run_worker(self._read_history, thread=True, exit_on_error=False, group="history")

    @property
    def cards_pane(self) -> CardsPane:
        """The cards and their alternatives."""
        return self.query_one(CardsPane)

    @property
    def view(self) -> NotebookView:
        """The cards."""
        return self.query_one(NotebookView)

    @property
    def box(self) -> PromptBox:
        """The prompt."""
        return self.query_one(PromptBox)

    @property
    def controls(self) -> SamplingControls:
        """The sampling settings."""
        return self.query_one(SamplingControls)

    def _read_history(self) -> None:
        """Read the history, in a thread."""
        cards = self.controller.notebook.read_history()
        self.app.call_later(self._show_history, cards)

    def _show_history(self, cards: list[Card]) -> None:
        if not self.is_attached or not cards:
            return
        self.controller.notebook.prepend(cards)
        self._show_cards()
        self.view.follow()

    def _show_cards(self) -> None:
        notebook = self.controller.notebook
        self.view.show_cards(notebook.cards)
        self.set_class(not notebook.cards, "-empty")
        self.box.set_history(notebook.prompts())
        self.refresh_bindings()

    def _label_box(self) -> None:
        """Say at the prompt what Enter does, and with which model."""
        box = self.box
        box.border_title = "edit, and continue from the end" if self._edited else "prompt"
        box.border_subtitle = "⏎ continue · esc cancel" if self._edited else source_label(self._state.source)

    # For the main screen

    def use_source(self, source: str | None) -> None:
        """Generate with this model from now on."""
        self._state.source = source
        self._label_box()
        self.focus_prompt()

    def focus_prompt(self) -> None:
        """Move the keyboard focus to the prompt."""
        self.box.focus()

    def set_training(self, run_name: str | None) -> None:
        """Note that a run began, whose live weights can be generated from, or that it ended (None)."""
        self.controller.set_training(run_name)
        self._label_box()

    def stop(self) -> None:
        """End the work of every thread, and keep what was generated."""
        self.controller.lookup.stop()
        self.action_stop_generating()

    # Generation

    def _generate(self, request: Callable[[], Card]) -> Card:
        """End the generation in progress, begin the requested one, and show its card."""
        self._finish()
        self.cards_pane.stop_inspecting()
        card = request()
        self.set_class(False, "-empty")
        self.view.begin_generation(card, self.controller.generating_ids)
        self.box.set_history(self.controller.notebook.prompts())
        self._resume_timer()
        self.refresh_bindings()
        return card

    def _poll(self) -> None:
        """Show what has been generated."""
        update = self.controller.poll()
        if update is not None:
            self.view.update_generation(update)
            if update.is_done:
                self._finish()
        for card in self.controller.take_compared():
            self.view.show_card(card)
        if self._timer is not None and self.controller.is_idle:
            self._timer.pause()

    def _resume_timer(self) -> None:
        if self._timer is not None:
            self._timer.resume()

    def _finish(self) -> None:
        """Show the end of the generation in progress, if there is one."""
        if self.controller.is_generating:
            self.view.end_generation(self.controller.finish())
            self.refresh_bindings()

    def action_stop_generating(self) -> None:
        """Stop the generation in progress at once, keeping what was generated."""
        update = self.controller.poll()
        if update is not None:
            self.view.update_generation(update)
        self._finish()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape and ctrl+c stop the generation in progress, and do something else without one."""
        del parameters
        return self.controller.is_generating if action == "stop_generating" else True

    @on(PromptBox.Submitted)
    def _submitted(self, event: PromptBox.Submitted) -> None:
        edited = self._edited
        self.box.clear()
        self._stop_editing()
        self._generate(lambda: self.controller.submit(event.text, edited))

    @on(PromptBox.ScoreRequested)
    def _score_requested(self, event: PromptBox.ScoreRequested) -> None:
        if not event.text:
            self.app.notify("Type or paste a text first; its characters are then coloured by their probabilities.")
            return
        self.box.clear()
        self._stop_editing()
        self._set_probabilities(True)
        self._generate(lambda: self.controller.score(event.text))

    @on(CardsPane.BranchRequested)
    def _branch(self, event: CardsPane.BranchRequested) -> None:
        self._generate(lambda: self.controller.branch(event.card, event.index, event.character))
        self.view.focus()

    @on(Welcome.PromptChosen)
    def _prompt_chosen(self, event: Welcome.PromptChosen) -> None:
        self.box.put(event.text)
        self.focus_prompt()
        self.box.action_submit()

    # Actions on cards

    @on(NotebookView.ActionRequested)
    def _action_requested(self, event: NotebookView.ActionRequested) -> None:
        match event.action:
            case CardAction.FOCUS_PROMPT:
                self.focus_prompt()
            case CardAction.TOGGLE_PROBABILITIES:
                self._set_probabilities(not self.view.shows_probabilities)
            case CardAction.UNDO:
                self._undo()
            case CardAction.STOP_INSPECTING:
                self.cards_pane.stop_inspecting()
            case action if (block := self.view.selected) is not None:
                self._act_on_card(action, block)

    def _act_on_card(self, action: CardAction, block: CardBlock) -> None:
        control, card = self.controller, block.card
        match action:
            case CardAction.REGENERATE:
                self._generate(lambda: control.regenerate(card))
            case CardAction.REPEAT:
                self._generate(lambda: control.repeat(card))
            case CardAction.CONTINUE:
                self._generate(lambda: control.continue_answer(card))
            case CardAction.BATCH:
                self._generate_beside(lambda: control.generate_batch(card))
            case CardAction.COMPARE:
                self._generate_beside(lambda: control.compare(card))
            case CardAction.EDIT:
                self._edit(card)
            case CardAction.PREVIOUS_ANSWER | CardAction.NEXT_ANSWER:
                self._show_answer(card.swiped(-1 if action is CardAction.PREVIOUS_ANSWER else 1))
            case CardAction.TOGGLE_COLUMNS:
                self._set_side_by_side(block, not block.side_by_side)
            case CardAction.INSPECT:
                self.cards_pane.inspect(block)
            case CardAction.COPY:
                self._copy(card)
            case CardAction.SAVE_TEXT | CardAction.SAVE_MARKDOWN:
                self._save(card, markdown=action is CardAction.SAVE_MARKDOWN)
            case CardAction.REMOVE:
                self._remove(card)

    def _generate_beside(self, request: Callable[[], Card]) -> None:
        """Generate answers that are shown beside the present one."""
        block = self.view.block_of(self._generate(request).id)
        if block is not None:
            self._set_side_by_side(block, True)

    def _edit(self, card: Card) -> None:
        """Put a card's text into the prompt box; submitting it adds an answer to the card."""
        self._edited = card.id
        self.box.put(card.answer.full)
        self._label_box()
        self.focus_prompt()

    def _stop_editing(self) -> None:
        self._edited = None
        self._label_box()

    def _show_answer(self, card: Card) -> None:
        """Show another answer of a card."""
        before = self.controller.notebook.find(card.id)
        if before is not None and card.shown != before.shown:
            self.cards_pane.stop_inspecting()
            self.controller.notebook.show_answer(card)
            self.view.show_card(card)

    def _set_side_by_side(self, block: CardBlock, side_by_side: bool) -> None:
        if side_by_side and len(block.card.answers) < 2:
            self.app.notify("The card has one answer: r generates another, b one with the current model and settings.")
            return
        self.cards_pane.stop_inspecting()
        self.view.set_side_by_side(block, side_by_side)

    def _set_probabilities(self, shown: bool) -> None:
        """Colour all characters by their probabilities, or none."""
        if shown != self.view.shows_probabilities:
            self.view.set_probabilities(shown)
            self.set_class(shown, "-probabilities")

    def _undo(self) -> None:
        self._finish()
        self.cards_pane.stop_inspecting()
        if not self.controller.notebook.undo():
            self.app.notify("There is nothing to undo.")
        self._show_cards()

    def _remove(self, card: Card) -> None:
        self.cards_pane.stop_inspecting()
        self.controller.notebook.remove(card)
        self._show_cards()
        self.app.notify("Card removed; u restores it.")

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

    # Mouse, settings, model

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
            self.cards_pane.stop_inspecting()
            self.view.select(block.card.id, reveal=False)

    @on(SamplingControls.Changed)
    def _sampling_changed(self, event: SamplingControls.Changed) -> None:
        self.controller.change_sampling(event.config)

    @on(SamplingControls.Closed)
    def _sampling_closed(self) -> None:
        self.focus_prompt()

    @on(PromptBox.Closed)
    def _box_closed(self) -> None:
        if self._edited is not None:
            self._stop_editing()
            self.box.clear()
        if self.controller.notebook.cards:
            self.view.focus()
        else:
            self.query(Button).first().focus()

    @on(PromptBox.PageRequested)
    def _page_requested(self, event: PromptBox.PageRequested) -> None:
        self.view.scroll_relative(y=event.by * max(1, self.view.size.height - 2), animate=False)

    def action_next_preset(self) -> None:
        """Switch to the next sampling preset, also for the rest of the generation in progress."""
        self.controls.next_preset()

    @on(PromptBox.ModelRequested)
    def action_choose_model(self) -> None:
        """Show the models that can be generated with."""
        self.screen.run_worker(self._find_models, thread=True, exit_on_error=False, group="models")

    def _find_models(self) -> None:
        """List runs and checkpoints, in a thread."""
        try:
            runs = self._store.list()
        except TuiGptError:
            runs = []
        self.call_later(self._show_chooser, runs, checkpoints_of(self._store, runs))

    def _show_chooser(self, runs: Sequence[RunSummary], checkpoints: Checkpoints) -> None:
        chooser = ModelChooser(runs, checkpoints, live=self.controller.is_live, current=self._state.source)
        self.app.push_screen(chooser, self._model_chosen)

    def _model_chosen(self, source: str | None) -> None:
        if source is None:
            self.focus_prompt()
        else:
            self.use_source(source or None)
