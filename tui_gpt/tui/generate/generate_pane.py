"""The Generate tab: a prompt at the bottom, the notebook's cards above, and between them how the next answer is drawn.

It is chat-like to look at and a notebook to use: a character model completes, so every card is a text that can be
continued, edited, branched and drawn again. The pane owns the notebook and the writers; the widgets in it only show and
ask. Models are opened and run in threads, one stream at a time; a timer carries what they wrote to the screen.
"""

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Static

from tui_gpt.config import SampleConfig
from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs import RunStore, RunSummary
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.alternatives import AlternativesPanel
from tui_gpt.tui.generate.answer_card import CardBlock, Stage
from tui_gpt.tui.generate.lookup import AlternativesLookup, Place
from tui_gpt.tui.generate.model_chooser import Checkpoints, ModelChooser, checkpoints_of, source_label
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook, save_copy
from tui_gpt.tui.generate.notebook_view import NotebookView
from tui_gpt.tui.generate.prompt_box import PromptBox
from tui_gpt.tui.generate.sampling_controls import SamplingControls
from tui_gpt.tui.generate.text_view import TextView
from tui_gpt.tui.generate.welcome import Welcome
from tui_gpt.tui.generate.writer import Burst, Writer
from tui_gpt.tui.threads import start_in_background

DRAIN_SECONDS = 0.05
"""Time between two looks at what was written."""

LEGEND = (
    "how likely the model thought each character:  80 %  [$foreground]40 %[/]  [$text-warning]10 %[/]  "
    "[$text-warning on $warning-muted]2 %[/]  [$text-error on $error-muted b]less[/]"
)
"""What the colours of the probabilities mean, in those colours."""

SEVERAL = 4
"""Answers that are written at once."""
_SEEDS = 1_000_000
_REFUSAL_SECONDS = 10.0
NO_THREAD = "the system has no thread left for it: close another program, and try again"


def draw_seed() -> int:
    """A seed that is short enough to be read out."""
    return random.SystemRandom().randrange(_SEEDS)


def waited(seconds: float) -> str:
    """For how long something is waited for, to be put after its words; nothing within the first second."""
    return f" {int(seconds)} s" if seconds >= 1.0 else ""


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
        & #legend { display: none; height: 1; margin: 0 1; color: $text-muted; }
        &.-thinking #legend { display: block; }
        &.-empty #legend { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop_writing", "Stop", key_display="esc", priority=True),
        Binding("ctrl+c", "stop_writing", "Stop", show=False, priority=True),
        Binding("ctrl+t", "next_mood", "Preset", key_display="^t", show=False),
        Binding("ctrl+o", "choose_model", "Model", key_display="^o"),
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
        self._session = session
        self._state = state
        self._draw_seed = draw_seed
        self._notebook = Notebook()
        self._history = History()
        self._history_saved = True
        """Whether the disk took what was last given to it."""
        self._turn = threading.Lock()
        self._writer: Writer | None = None
        self._writing_card = ""
        self._editing: str | None = None
        self._looking = AlternativesLookup(session, self._turn)
        self._looked_at: float | None = None
        """Since when the panel waits for a thought."""
        self._live = False
        self._timer: Timer | None = None

    # What is on screen

    def compose(self) -> ComposeResult:
        """Cards, settings, prompt."""
        yield Welcome()
        with Horizontal(id="stage"):
            yield NotebookView()
            yield AlternativesPanel()
        yield Static(LEGEND, id="legend")
        yield SamplingControls(self._state.sampling)
        yield PromptBox()

    def on_mount(self) -> None:
        """Begin empty; the history comes as soon as it is read."""
        self._timer = self.set_interval(DRAIN_SECONDS, self._tick, pause=True)
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
        self.box.clear()
        self._stop_editing()
        card = self._notebook.find(card_id) if card_id else None
        answer = Answer(prompt=text, config=self._config(), source=self._state.source)
        self._begin(Card(answers=(answer,)) if card is None else card.with_answers(answer), answer)

    @on(PromptBox.MeasureAsked)
    def _measure_asked(self, event: PromptBox.MeasureAsked) -> None:
        if not event.text:
            self.app.notify("Type or paste a text first: it is coloured by how likely the model finds each character.")
            return
        self.box.clear()
        self._stop_editing()
        answer = Answer(kind="measured", text=event.text, config=self._config(), source=self._state.source)
        if not self.view.thoughts:
            self._think(True)
        self._begin(Card(answers=(answer,)), answer)

    def _think(self, thoughts: bool) -> None:
        """Colour all characters by how likely they were, or none."""
        self.view.think(thoughts)
        self.set_class(thoughts, "-thinking")

    def _config(self, config: SampleConfig | None = None) -> SampleConfig:
        """The settings of the next answer, its seed drawn."""
        config = config or self._state.sampling
        return config if config.seed is not None else dataclasses.replace(config, seed=self._draw_seed())

    def _begin(self, card: Card, *answers: Answer) -> None:
        """Put the card on screen and let these answers of it be written."""
        self._end_writing()
        self._stop_looking()
        self._notebook.put(card)
        self._writer = Writer(*answers)
        self._writing_card = card.id
        self.set_class(False, "-empty")
        view = self.view
        view.busy = card.id
        view.show_card(card)
        view.select(card.id, reveal=False)
        self._stage("opening")
        view.reveal_end(card.id)
        self.box.remember(self._notebook.prompts())
        writer = self._writer
        try:
            start_in_background(lambda: self._write(writer), "writing")
        except RuntimeError:
            writer.fail(NO_THREAD)
        self._resume_timer()
        self.refresh_bindings()

    def _write(self, writer: Writer) -> None:
        """For a thread: write, and let what is known no sooner be noted."""
        writer.run(self._session, self._turn)
        with suppress(RuntimeError):  # the app has closed
            self.call_later(self._note_copied, writer)

    def _note_copied(self, writer: Writer) -> None:
        """Note how much of answers that were stopped is copied: they are kept at once, and compared after that."""
        card = None
        for answer in writer.answers:
            if writer is not self._writer and answer.stopped and answer.copied is not None:
                card = self._notebook.replace_answer(answer)
        if card is not None:
            self.view.show_card(card)
            self._keep(card)

    def _resume_timer(self) -> None:
        if self._timer is not None:
            self._timer.resume()

    # Writing

    def _tick(self) -> None:
        """Show what has arrived, and for how long nothing has."""
        self._drain()
        if self._looked_at is not None:
            self.panel.wait(waited(time.monotonic() - self._looked_at))
        if self._timer is not None and self._writer is None and self._looked_at is None:
            self._timer.pause()

    def _drain(self) -> None:
        """Carry to the screen what was written since the last time."""
        writer = self._writer
        if writer is None:
            return
        phase = writer.phase
        bursts = writer.take()
        block = self.view.block_of(self._writing_card)
        if block is not None and phase == "writing" and block.stage == "opening":
            self._now_writing(block, writer.answers)
        if block is not None and block.stage == "writing":
            self._grow(block, writer, bursts)
        if block is not None:
            self._show_waiting(block, waited(writer.waiting_seconds))
        if phase == "done":
            self._end_writing()

    def _now_writing(self, block: CardBlock, answers: Sequence[Answer]) -> None:
        """The model is open: the card says which one writes, and what was to be measured comes back in colours."""
        shown = block.card
        for answer in answers:
            beginning = dataclasses.replace(answer, text="", logprobs=answer.logprobs[: len(answer.kept)], seconds=0.0)
            shown = self._notebook.replace_answer(beginning) or shown
        block.pens = {}
        self.view.show_card(shown)
        self._stage("writing")

    def _grow(self, block: CardBlock, writer: Writer, bursts: Sequence[Burst]) -> None:
        for name, burst in zip(block.pens, bursts, strict=True):
            block.tell(name, burst.changes)
        rows = [
            block.grow(name, burst.text, burst.logprobs)
            for name, burst in zip(block.pens, bursts, strict=True)
            if burst.text
        ]
        if rows:
            block.pens = dict.fromkeys(block.pens, writer.seconds)
            self.view.grown(self.view.index_of(block), min(rows))

    def _show_waiting(self, block: CardBlock, words: str) -> None:
        if words != block.waiting:
            block.waiting = words
            self.view.grown(self.view.index_of(block), block.last_text_row)

    def _stage(self, stage: Stage) -> None:
        """Show how far the answers are that are being written."""
        block = self.view.block_of(self._writing_card)
        if block is not None:
            block.stage, block.waiting = stage, ""
            block.pens = {answer.id: 0.0 for answer in self._writer.answers} if self._writer is not None else {}
            self.view.grown(self.view.index_of(block), block.last_text_row)

    def _end_writing(self) -> None:
        """The answer is done, failed or was stopped: keep it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.stop()
        writer.take()
        self.view.busy = None
        self._stage("")
        card = None
        for answer in writer.answers:
            card = self._notebook.replace_answer(answer)
        if card is not None:
            self.view.show_card(card)
            self._keep(card)
        self.refresh_bindings()

    def _keep(self, card: Card) -> None:
        """Put a card into the history."""
        self._note_disk(self._history.save(card))

    def _note_disk(self, saved: bool) -> None:
        """Say that the disk does not take the history: once, and again after it has taken something."""
        if self._history_saved and not saved:
            self.app.notify(
                f"The cards cannot be saved in {escape_controls(str(self._history.path))}: "
                "free some space, or make it writable. "
                "Until then new ones are lost when you quit; w saves one elsewhere.",
                severity="error",
                markup=False,
                timeout=_REFUSAL_SECONDS,
            )
        self._history_saved = saved

    # What keys ask of a card

    @on(NotebookView.Asked)
    def _asked(self, event: NotebookView.Asked) -> None:
        block = self.view.selected
        if event.what == "prompt":
            self.focus_prompt()
        elif event.what == "thoughts":
            self._think(not self.view.thoughts)
        elif event.what == "undo":
            self._undo()
        elif block is not None:
            asked: dict[str, Callable[[Card], None]] = {
                "regenerate": self._regenerate,
                "repeat": self._repeat,
                "go_on": self._go_on,
                "edit": self._edit,
                "beside": self._beside,
                "several": self._several,
                "swipe_left": lambda card: self._swipe(card, -1),
                "swipe_right": lambda card: self._swipe(card, 1),
                "side_by_side": lambda _: self._side_by_side(block, not block.side_by_side),
                "copy": self._copy,
                "save": lambda card: self._save(card, markdown=False),
                "save_markdown": lambda card: self._save(card, markdown=True),
                "remove": self._remove,
                "look": self._look,
                "looked": lambda _: self._stop_looking(),
                "alternatives": lambda _: self._focus_panel(),
            }
            asked[event.what](block.card)

    def _regenerate(self, card: Card) -> None:
        config = dataclasses.replace(card.answer.config, seed=self._draw_seed())
        self._begin_variant(card, card.answer.again(config, card.answer.source))

    def _repeat(self, card: Card) -> None:
        """The same settings and seed once more: the same text, if the model is the same."""
        answer = card.answer.again(card.answer.config, card.answer.source)
        self._begin_variant(card, dataclasses.replace(answer, batch=card.answer.batch, place=card.answer.place))

    def _several(self, card: Card) -> None:
        """Some more answers at once, side by side."""
        answers = card.answer.batch_of(SEVERAL, self._config(), card.answer.source)
        self._begin(card.with_answers(*answers), *answers)
        if (block := self.view.block_of(card.id)) is not None:
            self._side_by_side(block, True)

    def _beside(self, card: Card) -> None:
        """The same prompt and seed with the model and the settings that hold now, side by side with the old answer."""
        config = dataclasses.replace(self._state.sampling, seed=card.answer.config.seed)
        self._begin_variant(card, card.answer.again(config, self._state.source))
        if (block := self.view.block_of(card.id)) is not None:
            self._side_by_side(block, True)

    def _begin_variant(self, card: Card, answer: Answer) -> None:
        self._begin(card.with_answers(answer), answer)

    def _go_on(self, card: Card) -> None:
        answer = card.answer.extended(self._config(), card.answer.source)
        self._begin(card.with_shown(answer), answer)

    def _edit(self, card: Card) -> None:
        """Put the text into the prompt box; what is sent from there becomes another answer of the card."""
        self._editing = card.id
        self.box.put(card.answer.full)
        self._label_box()
        self.focus_prompt()

    def _stop_editing(self) -> None:
        if self._editing is not None:
            self._editing = None
            self._label_box()

    def _swipe(self, card: Card, by: int) -> None:
        swiped = card.swiped(by)
        if swiped.shown != card.shown:
            self._change(swiped)

    def _change(self, card: Card) -> None:
        self._stop_looking()
        self._notebook.put(card, undoable=False)
        self.view.show_card(card)
        self._keep(card)

    def _side_by_side(self, block: CardBlock, side_by_side: bool) -> None:
        if side_by_side and len(block.card.answers) < 2:
            self.app.notify("There is one answer yet: r draws another, b one with the model and settings chosen now.")
            return
        self._stop_looking()
        block.lay_side_by_side(side_by_side)
        self.view.grown(self.view.index_of(block))

    def _undo(self) -> None:
        self._end_writing()
        self._stop_looking()
        changed = self._notebook.undo()
        for card_id in changed:
            card = self._notebook.find(card_id)
            if card is None:
                self._note_disk(self._history.remove(card_id))
            else:
                self._keep(card)
        if not changed:
            self.app.notify("There is nothing to take back.")
        self._show_cards()

    def _remove(self, card: Card) -> None:
        self._stop_looking()
        self._notebook.remove(card.id)
        self._note_disk(self._history.remove(card.id))
        self._show_cards()
        self.app.notify("Card removed; u brings it back.")

    def _copy(self, card: Card) -> None:
        text = self._text_of(card)
        self.app.copy_to_clipboard(text)
        self.app.notify(f"Copied {len(text):,} characters.")

    def _text_of(self, card: Card) -> str:
        """The text as it is now, also while it is being written."""
        writing = self._writer is not None and card.id == self._writing_card
        answers = self._writer.answers if writing and self._writer is not None else card.answers
        return next((answer.full for answer in answers if answer.id == card.answer.id), card.answer.full)

    def _save(self, card: Card, *, markdown: bool) -> None:
        for folder in (".", "~"):
            try:
                path = save_copy(card, Path(folder).expanduser(), markdown=markdown).absolute()
            except (OSError, RuntimeError):
                continue
            self.app.notify(f"Saved as {path}", markup=False)
            return
        self.app.notify("Neither this folder nor your home can be written to.", severity="error")

    # Looking inside

    def _look(self, card: Card) -> None:
        """Let a cursor walk over the text."""
        block = self.view.block_of(card.id)
        if block is None or not card.answer.full:
            return
        if block.side_by_side:
            self._side_by_side(block, False)
        self._looking.forget()
        self.view.look_inside(block)
        self.set_class(True, "-looking")
        self.refresh_bindings()

    def _stop_looking(self) -> None:
        if self.view.looking is None:
            return
        if self.panel.has_focus:
            self.view.focus()
        self.view.stop_looking()
        self._looked_at = None
        self.set_class(False, "-looking")
        self.refresh_bindings()

    @on(NotebookView.CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_thought(ask=True)

    def _show_thought(self, *, ask: bool = False) -> None:
        """What the model thinks at the cursor; asked for if it is not known."""
        block = self.view.looking
        if block is None or block.main.passage.cursor is None:
            return
        answer, index = block.card.answer, block.main.passage.cursor
        place = (answer.source, answer.full[:index])
        thought = self._looking.known(place)
        taken = answer.full[index : index + 1]
        alternatives = thought.alternatives if thought else None
        share = dict(alternatives or ()).get(taken, answer.probability(index))
        self.panel.show(taken, share, alternatives, thought.error if thought else "")
        self._looked_at = None if thought is not None else time.monotonic()
        if thought is None and ask:
            self._resume_timer()
            self._want(place)

    def _want(self, place: Place) -> None:
        """Let the model think about a place, in a thread that is started where none is at work."""
        if self._looking.want(place):
            try:
                start_in_background(lambda: self._looking.run(lambda: self.call_later(self._show_thought)), "looking")
            except RuntimeError:
                self._looking.fail(NO_THREAD)
                self._show_thought()

    def _focus_panel(self) -> None:
        self.panel.focus()

    @on(AlternativesPanel.Chosen)
    def _branch(self, event: AlternativesPanel.Chosen) -> None:
        block = self.view.looking
        if block is None or block.main.passage.cursor is None:
            return
        answer = block.card.answer
        branch = answer.branched(block.main.passage.cursor, event.character, self._config(), answer.source)
        self._begin_variant(block.card, branch)
        self.view.focus()

    @on(AlternativesPanel.Left)
    def _left_panel(self) -> None:
        self.view.focus()

    # Mouse, settings, model

    @on(TextView.Pressed)
    def _pressed(self, event: TextView.Pressed) -> None:
        """Select the pressed card; a press into the text of the selected one puts the cursor there."""
        block = self.view.blocks[event.index]
        if not isinstance(block, CardBlock):
            return
        if block is self.view.selected and (turn := block.turn_at(event.row, event.column)):
            self.view.action_ask("swipe_left" if turn < 0 else "swipe_right")
            return
        if self.view.looking is block:
            self.view.put_cursor(event.row, event.column)
            return
        self._stop_looking()
        self.view.select(block.card.id, reveal=False)

    @on(SamplingControls.Changed)
    def _sampling_changed(self, event: SamplingControls.Changed) -> None:
        if self._writer is not None:
            self._writer.change(self._state.sampling, event.config)
        self._state.sampling = event.config

    @on(SamplingControls.Done)
    def _sampling_done(self) -> None:
        self.focus_prompt()

    @on(Welcome.Begun)
    def _begun(self, event: Welcome.Begun) -> None:
        self.box.put(event.text)
        self.focus_prompt()
        self.box.action_send()

    @on(PromptBox.Left)
    def _left_box(self) -> None:
        if self._editing is not None:
            self._stop_editing()
            self.box.clear()
        if self._notebook.cards:
            self.view.focus()
        else:
            self.query(Button).first().focus()

    @on(PromptBox.Paged)
    def _paged(self, event: PromptBox.Paged) -> None:
        self.view.scroll_relative(y=event.by * max(1, self.view.size.height - 2), animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape and ctrl+c stop what is being written, and mean something else when nothing is."""
        del parameters
        return self.is_writing if action == "stop_writing" else True

    def action_stop_writing(self) -> None:
        """Stop at once; what was written stays."""
        if self._writer is not None:
            self._writer.stop()
            self._drain()

    def action_next_mood(self) -> None:
        """Take the next preset, also for the rest of what is being written."""
        self.controls.next_mood()

    def action_choose_model(self) -> None:
        """Show the models that there are."""
        self.run_worker(self._offer_models, thread=True, exit_on_error=False, group="models")

    def _offer_models(self) -> None:
        """For a thread: see what there is."""
        try:
            runs = self._store.list()
        except TuiGptError:
            runs = []
        self.call_later(self._show_chooser, runs, checkpoints_of(self._store, runs))

    def _show_chooser(self, runs: Sequence[RunSummary], checkpoints: Checkpoints) -> None:
        chooser = ModelChooser(runs, checkpoints, live=self._live, current=self._state.source)
        self.app.push_screen(chooser, self._model_chosen)

    def _model_chosen(self, source: str | None) -> None:
        if source is not None:
            self._state.source = source or None
            self._label_box()
        self.focus_prompt()
