"""The Generate tab: a prompt at the bottom, the notebook's cards above, and between them the sampling settings.

It looks like a chat and works as a notebook: a character model completes text, so every card is a text that can be
continued, edited, branched and generated again. The pane connects the prompt, the settings and the cards to a
`GenerateController`.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Button

from tui_gpt.config import SampleConfig
from tui_gpt.errors import TuiGptError
from tui_gpt.seeds import draw_seed
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs import RunStore, RunSummary
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.cards_pane import CardsPane
from tui_gpt.tui.generate.controller import GenerateController
from tui_gpt.tui.generate.desk import Desk, DeskBar
from tui_gpt.tui.generate.notebook import Card, Notebook
from tui_gpt.tui.generate.prompt.limits_row import LimitsRow
from tui_gpt.tui.generate.prompt.limits_screen import LimitsScreen
from tui_gpt.tui.generate.prompt.model_chooser import Checkpoints, ModelChooser, checkpoints_of, source_label
from tui_gpt.tui.generate.prompt.prompt_box import PromptBox
from tui_gpt.tui.generate.prompt.sampling_controls import SamplingControls
from tui_gpt.tui.generate.prompt.welcome import Welcome
from tui_gpt.tui.keys import key_binding, keymap_of

_PROBLEM_SECONDS = 10.0
_EDIT_KEYS = "{prompt.submit} continue · {prompt.cards} cancel"


class GeneratePane(Widget):
    """Prompt, cards, settings."""

    DEFAULT_CSS = """
    GeneratePane {
        layout: vertical;
        height: 1fr;
        & SamplingControls, & LimitsRow { margin: 0 1; }
        &.-empty CardsPane { display: none; }
        & Welcome { display: none; }
        &.-empty Welcome { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("generate.stop", "stop_generating", "Stop", key_display="esc", priority=True),
        key_binding("generate.next_preset", "next_preset", "Next sampling preset", key_display="^t", show=False),
        key_binding("generate.limits", "choose_limits", "Limits", show=False),
        key_binding("generate.model", "choose_model", "Model", show=False),
        key_binding("generate.probability_tree", "probability_tree", "Tree", show=False, priority=True),
        key_binding("generate.by_hand", "by_hand", "By hand", show=False, priority=True),
        key_binding("generate.sides", "sides", "Two sides", show=False, priority=True),
        key_binding("generate.who_wrote", "who_wrote", "Who wrote this?", show=False, priority=True),
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
        self.state = state
        self.controller = GenerateController(session, state, self._report, draw_seed)
        self.desk = Desk(self, self._store)
        self._edited: str | None = None
        """The id of the card whose text is in the prompt box to be edited."""

    def _report(self, sentence: str) -> None:
        self.app.notify(sentence, severity="error", markup=False, timeout=_PROBLEM_SECONDS)

    # Content

    def compose(self) -> ComposeResult:
        """Lay out cards, settings and prompt."""
        yield Welcome()
        yield CardsPane(self.controller)
        yield DeskBar()
        yield SamplingControls(self.state.sampling)
        yield LimitsRow(self.state.sampling)
        yield PromptBox()

    def on_mount(self) -> None:
        """Begin empty; the history follows when it has been read."""
        self.set_class(True, "-empty")
        self._label_box()
        self.desk.set_previews(self.state.preview)
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
        """Read the history, in a thread: first the newest cards, which are shown at once, then all."""
        for read in (self.controller.notebook.read_newest, self.controller.notebook.read_history):
            self.app.call_later(self._show_history, read())

    def _show_history(self, saved: Notebook) -> None:
        if not self.is_attached or not saved.layouts:
            return
        was_empty = not self.controller.notebook.cards
        self.controller.notebook.prepend(saved)
        self.cards_pane.show_cards()
        if was_empty:
            self.view.follow()

    @on(CardsPane.Changed)
    def _cards_changed(self) -> None:
        notebook = self.controller.notebook
        if not notebook.cards and self.view.has_focus:
            self.query(Button).first().focus()
        was_in_welcome = isinstance(self.screen.focused, Button)
        self.set_class(not notebook.cards, "-empty")
        if notebook.cards and was_in_welcome:
            self.call_after_refresh(self._enter_cards)
        self.box.set_history(notebook.prompts())
        self.refresh_bindings()

    def _enter_cards(self) -> None:
        """Move the focus to cards that have come back."""
        self.view.focus()
        self.view.reflow()
        self.view.scroll_to(y=self.view.max_scroll_y, animate=False, force=True, immediate=True)

    def _label_box(self) -> None:
        """Say at the prompt what Enter does, and with which model."""
        box = self.box
        box.border_title = "edit, and continue from the end" if self._edited else "prompt"
        box.border_subtitle = keymap_of(self).fill(_EDIT_KEYS) if self._edited else source_label(self.state.source)

    # For the main screen

    def use_source(self, source: str | None) -> None:
        """Generate with this model from now on."""
        self.state.source = source
        self._label_box()
        self.box.forget_preview()
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
        self.desk.previews.stop()
        self.action_stop_generating()

    # Generation

    def action_stop_generating(self) -> None:
        """Stop the generation in progress at once, keeping what was generated."""
        self.cards_pane.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape and ctrl+c stop the generation in progress, and do something else without one."""
        del parameters
        return self.controller.is_generating if action == "stop_generating" else True

    @on(PromptBox.Submitted)
    def _submitted(self, event: PromptBox.Submitted) -> None:
        edited = self._edited
        self.clear_prompt()
        self.cards_pane.generate(lambda: self.controller.submit(event.text, edited))

    @on(PromptBox.ScoreRequested)
    def _score_requested(self, event: PromptBox.ScoreRequested) -> None:
        if not event.text:
            self.app.notify("Type or paste a text first; its characters are then coloured by their probabilities.")
            return
        self.clear_prompt()
        self.cards_pane.set_probabilities(True)
        self.cards_pane.generate(lambda: self.controller.score(event.text))

    @on(Welcome.ChangeRequested)
    def _change_requested(self, event: Welcome.ChangeRequested) -> None:
        self.cards_pane.change(event.action)

    @on(Welcome.PromptChosen)
    def _prompt_chosen(self, event: Welcome.PromptChosen) -> None:
        self.box.put(event.text)
        self.focus_prompt()
        self.box.action_submit()

    # The keys of cards that concern the prompt

    @on(NotebookView.ActionRequested)
    def _action_requested(self, event: NotebookView.ActionRequested) -> None:
        block = self.view.selected
        if event.action is CardAction.FOCUS_PROMPT:
            self.focus_prompt()
        elif event.action is CardAction.EDIT and block is not None:
            self._edit(block.card)

    def _edit(self, card: Card) -> None:
        """Put a card's text into the prompt box; submitting it adds an answer to the card."""
        self._edited = card.id
        self.box.put(card.answer.full)
        self._label_box()
        self.focus_prompt()

    def clear_prompt(self) -> None:
        """Empty the prompt; the next text is that of a new card."""
        self.box.clear()
        self._edited = None
        self._label_box()

    # Mouse, settings, model

    @on(SamplingControls.Changed)
    def _sampling_changed(self, event: SamplingControls.Changed) -> None:
        self.controller.change_sampling(event.config)

    @on(LimitsRow.Pressed)
    @on(PromptBox.LimitsRequested)
    def action_choose_limits(self) -> None:
        """Ask for stop conditions and constraints."""
        self.app.push_screen(LimitsScreen(self.state.sampling), self._limits_chosen)

    def _limits_chosen(self, config: SampleConfig | None) -> None:
        if config is not None:
            self.controls.config = config
            self.controller.change_sampling(config)
            self.query_one(LimitsRow).show(config)
        self.focus_prompt()

    @on(SamplingControls.Closed)
    def _sampling_closed(self) -> None:
        self.focus_prompt()

    @on(PromptBox.Closed)
    def _box_closed(self) -> None:
        if self._edited is not None:
            self.clear_prompt()
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
        self.choose_model(self.state.source, self.use_source)

    def choose_model(self, current: str | None, use: Callable[[str | None], None]) -> None:
        """Show the models that can be generated with, and call `use` with the one chosen."""

        def find() -> None:
            try:
                runs = self._store.list()
            except TuiGptError:
                runs = []
            self.call_later(show, runs, checkpoints_of(self._store, runs))

        def show(runs: Sequence[RunSummary], checkpoints: Checkpoints) -> None:
            if isinstance(self.app.screen, ModelChooser):  # the key was pressed twice
                return
            chooser = ModelChooser(runs, checkpoints, live=self.controller.is_live, current=current)
            self.app.push_screen(chooser, lambda source: use(current if source is None else source or None))

        self.screen.run_worker(find, thread=True, exit_on_error=False, group="models")

    # Tree, by hand, two sides, who wrote this?, preview

    def action_probability_tree(self) -> None:
        """Show the most likely continuations."""
        self.desk.open_tree()

    def action_by_hand(self) -> None:
        """Compose a continuation by hand."""
        self.desk.open_by_hand()

    def action_sides(self) -> None:
        """Compare two models or settings."""
        self.desk.open_sides()

    def action_who_wrote(self) -> None:
        """Score a text under several models."""
        self.desk.open_who_wrote()

    @on(DeskBar.Requested)
    async def _tool_requested(self, event: DeskBar.Requested) -> None:
        await self.run_action(event.action)

    @on(PromptBox.PreviewRequested)
    def _preview_requested(self, event: PromptBox.PreviewRequested) -> None:
        self.desk.request_preview(event.text)

    @on(PromptBox.Changed)
    def _prompt_changed(self) -> None:
        """Leave the processor to the keys while the user types; a preview is requested again after a pause."""
        self.desk.previews.stop()

    @on(PromptBox.PreviewToggled)
    def _preview_toggled(self) -> None:
        self.desk.set_previews(not self.state.preview)
        self.app.notify(f"Preview while typing: {'on' if self.state.preview else 'off'}")
