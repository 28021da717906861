"""The Generate tab: a prompt at the bottom, the notebook's cards above it, and between them how the next answer is drawn.

It is chat-like to look at and a notebook to use: a character model completes, so every card is a text that can be
continued, edited, branched and drawn again. The pane owns the notebook and the writers; the widgets in it only show and
ask. Models are opened and run in threads, one stream at a time; a timer carries what they wrote to the screen.
"""

import dataclasses
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget

from tui_gpt.config import SampleConfig
from tui_gpt.notebook import Answer, Card, History, Notebook, save_copy
from tui_gpt.session import SessionLike
from tui_gpt.tui.looking import Looking, Thought
from tui_gpt.tui.state import AppState
from tui_gpt.tui.widgets.alternatives import AlternativesPanel
from tui_gpt.tui.widgets.answer_card import CardBlock
from tui_gpt.tui.widgets.model_chooser import ModelChooser, source_label
from tui_gpt.tui.widgets.notebook_view import NotebookView
from tui_gpt.tui.widgets.prompt_box import PromptBox
from tui_gpt.tui.widgets.sampling_controls import SamplingControls
from tui_gpt.tui.widgets.text_view import TextView
from tui_gpt.tui.widgets.welcome import Welcome
from tui_gpt.tui.writer import Writer

DRAIN_SECONDS = 0.04
"""Time between two looks at what was written."""

_SEEDS = 1_000_000
_HINT = "^t presets · tab settings · ^o model"


def draw_seed() -> int:
    """A seed that is short enough to be read out."""
    return random.SystemRandom().randrange(_SEEDS)


class GeneratePane(Widget):
    """Prompt, cards, settings."""

    DEFAULT_CSS = """
    GeneratePane {
        layout: vertical;
        height: 1fr;
        & #stage { height: 1fr; }
        & NotebookView { width: 1fr; }
        & SamplingControls { margin: 0 1; }
        &.-empty #stage { display: none; }
        & Welcome { display: none; }
        &.-empty Welcome { display: block; }
        &.-looking AlternativesPanel { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop_writing", "Stop", key_display="esc", priority=True),
        Binding("ctrl+c", "stop_writing", "Stop", show=False, priority=True),
        Binding("ctrl+t", "next_mood", "Preset", key_display="^t", show=False),
        Binding("ctrl+o", "choose_model", "Model", key_display="^o"),
    ]

    def __init__(
        self, session: SessionLike, state: AppState, *, draw_seed: Callable[[], int] = draw_seed, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._session = session
        self._state = state
        self._draw_seed = draw_seed
        self._notebook = Notebook()
        self._history = History()
        self._turn = threading.Lock()
        self._writer: Writer | None = None
        self._writing_card = ""
        self._editing: str | None = None
        self._looking = Looking(session, self._turn)
        self._live = False
        self._timer: Timer | None = None

    # What is on screen

    def compose(self) -> ComposeResult:
        """Cards, settings, prompt."""
        with Vertical():
            yield Welcome()
            with Horizontal(id="stage"):
                yield NotebookView()
                yield AlternativesPanel()
            yield SamplingControls(self._state.sampling)
            yield PromptBox()

    def on_mount(self) -> None:
        """Begin empty; the history comes as soon as it is read."""
        self._timer = self.set_interval(DRAIN_SECONDS, self._drain, pause=True)
        self.set_class(True, "-empty")
        self._label_box()
        self.run_worker(self._read_history, thread=True, exit_on_error=False, group="history")

    @property
    def notebook(self) -> Notebook:
        """The cards."""
        return self._notebook

    @property
    def view(self) -> NotebookView:
        """The cards on screen."""
        return self.query_one(NotebookView)

    @property
    def box(self) -> PromptBox:
        """The prompt."""
        return self.query_one(PromptBox)

    @property
    def controls(self) -> SamplingControls:
        """How the next answer is drawn."""
        return self.query_one(SamplingControls)

    @property
    def panel(self) -> AlternativesPanel:
        """What else might have been written."""
        return self.query_one(AlternativesPanel)

    @property
    def is_writing(self) -> bool:
        """Whether an answer is on its way."""
        return self._writer is not None

    def _read_history(self) -> None:
        cards = self._history.load()
        self.app.call_later(self._show_history, cards)

    def _show_history(self, cards: list[Card]) -> None:
        """Put the cards of earlier days before those of today."""
        if not self.is_attached or not cards:
            return
        self._notebook = Notebook([*cards, *self._notebook.cards])
        self._show_cards()
        self.view.follow()

    def _show_cards(self) -> None:
        self.view.show_cards(self._notebook.cards)
        self.set_class(not self._notebook.cards, "-empty")
        self.box.remember(self._notebook.prompts())
        self.refresh_bindings()

    def _label_box(self) -> None:
        """What the box says about Enter and about the model."""
        box = self.box
        box.border_title = "edit, and go on from the end" if self._editing else "prompt"
        box.border_subtitle = "⏎ go on · esc leave it" if self._editing else source_label(self._state.source)

    # What the app tells

    def use_source(self, source: str) -> None:
        """Write with this model from now on."""
        self._state.source = source
        self._label_box()
        self.focus_prompt()

    def focus_prompt(self) -> None:
        """Be ready to type."""
        self.box.focus()

    def training_changed(self, run_name: str | None) -> None:
        """A run began (its live weights can be written with), or ended."""
        self._live = run_name is not None
        if not self._live and self._state.source == "live":
            self._state.source = run_name
            self._label_box()

    def stop(self) -> None:
        """End every thread's work, and keep what was written."""
        self._looking.stop()
        if self._writer is not None:
            self._writer.stop()
            self._drain()

    # Sending

    @on(PromptBox.Sent)
    def _sent(self, event: PromptBox.Sent) -> None:
        text, card_id = event.text, self._editing
        self._state.prompt = text
        self.box.clear()
        self._stop_editing()
        card = self._notebook.find(card_id) if card_id else None
        answer = Answer(prompt=text, config=self._config(), source=self._state.source)
        self._begin(answer, Card(answers=(answer,)) if card is None else card.with_answer(answer))

    @on(PromptBox.MeasureAsked)
    def _measure_asked(self, event: PromptBox.MeasureAsked) -> None:
        if not event.text:
            self.app.notify("Type or paste a text first: it is coloured by how likely the model finds each character.")
            return
        self.box.clear()
        self._stop_editing()
        answer = Answer(kind="measured", text=event.text, config=self._config(), source=self._state.source)
        if not self.view.thoughts:
            self.view.think(True)
        self._begin(answer, Card(answers=(answer,)))

    def _config(self, config: SampleConfig | None = None) -> SampleConfig:
        """The settings of the next answer, its seed drawn."""
        config = config or self._state.sampling
        return config if config.seed is not None else dataclasses.replace(config, seed=self._draw_seed())

    def _begin(self, answer: Answer, card: Card) -> None:
        """Put the card on screen and let its shown answer be written."""
        self._end_writing()
        self._stop_looking()
        self._notebook.put(card)
        self._writer = Writer(answer)
        self._writing_card = card.id
        self.set_class(False, "-empty")
        view = self.view
        view.busy = card.id
        view.show_card(card)
        view.select(card.id, reveal=False)
        self._stage("opening")
        view.follow() if card == self._notebook.cards[-1] else view.reveal_end(card.id)
        self.box.remember(self._notebook.prompts())
        writer = self._writer
        self.run_worker(
            lambda: writer.run(self._session, self._turn), thread=True, exit_on_error=False, group="writing"
        )
        if self._timer is not None:
            self._timer.resume()
        self.refresh_bindings()

    # Writing

    def _drain(self) -> None:
        """Carry to the screen what was written since the last time."""
        writer = self._writer
        if writer is None:
            return
        phase = writer.phase
        burst = writer.take()
        block = self.view.block_of(self._writing_card)
        if block is not None:
            if phase == "writing" and block.stage == "opening":
                self._now_writing(block, writer.answer)
            if burst.text:
                self._grow(block, burst.text, burst.logprobs)
        if phase == "done":
            self._end_writing()

    def _now_writing(self, block: CardBlock, answer: Answer) -> None:
        """The model is open: the card says which one writes."""
        shown = dataclasses.replace(answer, text="")
        if (card := self._notebook.settle(shown)) is not None:
            block.show(card)
            self._stage("writing")

    def _grow(self, block: CardBlock, text: str, logprobs: tuple[float, ...]) -> None:
        assert self._writer is not None
        if not self._writer.is_shown_by(block.card):
            return
        row = block.grow(block.card.answer, text, logprobs)
        self.view.grown(self.view.index_of(block), row)

    def _stage(self, stage: str) -> None:
        block = self.view.block_of(self._writing_card)
        if block is not None:
            block.stage = "opening" if stage == "opening" else "writing" if stage == "writing" else ""
            self.view.grown(self.view.index_of(block), 0)

    def _end_writing(self) -> None:
        """The answer is done, failed or was stopped: keep it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.stop()
        writer.take()
        if self._timer is not None:
            self._timer.pause()
        self.view.busy = None
        self._stage("")
        card = self._notebook.settle(writer.answer)
        if card is not None:
            self.view.show_card(card)
            self._keep(card)
        self.refresh_bindings()

    def _keep(self, card: Card) -> None:
        """Put a card into the history."""
        self._history.save(card)
