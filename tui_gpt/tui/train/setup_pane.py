"""The form of the next run, with an estimate of its time and loss, and the button that starts it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Static

from tui_gpt.config import RunConfig
from tui_gpt.control import Activity, Control
from tui_gpt.errors import ConfigError, CorpusError, TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_count, format_duration, token_noun
from tui_gpt.requests import Estimate, TrainRequest
from tui_gpt.session import SessionLike, source_config
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.check import require_files
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.keys import button_label
from tui_gpt.tui.threads import in_background
from tui_gpt.tui.train.activity import ActivityWatch
from tui_gpt.tui.train.form import field_of
from tui_gpt.tui.train.settings_form import SettingsForm
from tui_gpt.tui.train.start_chooser import StartChooser
from tui_gpt.tui.train.start_from import NEW_WEIGHTS, StartFrom, start_choices

_REST_SECONDS = 0.4
"""The form must be left alone for this long before its run is timed."""


class SetupPane(Vertical):
    """Form, estimate, start button."""

    class StartRequested(Message):
        """The run in the form is to start."""

        def __init__(self, request: TrainRequest) -> None:
            self.request = request
            super().__init__()

    class EstimateChanged(Message):
        """The estimate, or the reason why there is none, in words; "" while it is unknown."""

        def __init__(self, words: str) -> None:
            self.words = words
            super().__init__()

    def __init__(self, session: SessionLike, state: AppState, base: RunConfig, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._state = state
        self._base = base
        self._refused: RunConfig | None = None
        """The run that could not be started; it is not timed, so that the reason stays on screen."""
        self._control = Control()
        self._is_estimating = False
        self._watch = ActivityWatch()
        self._words = ""

    def compose(self) -> ComposeResult:
        """Lay out form, estimate and button."""
        yield SettingsForm(self._base, id="form")
        yield Static("", id="estimate", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(
                button_label(self, "Start", "form.start"),
                id="start",
                action="screen.run('start')",
                variant="primary",
                compact=True,
            )
            yield Button(
                button_label(self, "All settings", "form.all_settings"),
                id="all",
                action="screen.run('all_settings')",
                compact=True,
            )
            yield Button(
                button_label(self, "Start from", "form.start_from"),
                id="choose-start",
                action="screen.run('start_from')",
                compact=True,
            )

    @property
    def form(self) -> SettingsForm:
        """The form."""
        return self.query_one(SettingsForm)

    @property
    def config(self) -> RunConfig | None:
        """The run in the form; None while its settings are invalid."""
        try:
            return self.form.config()
        except ConfigError:
            return None

    def request_start(self) -> None:
        """Request the run in the form; ring the bell if its settings are invalid."""
        config = self.config
        if config is None:
            self.app.bell()
            return
        self._state.preset, self._state.corpus = config.preset, config.corpus
        self.post_message(self.StartRequested(self._request(config)))

    def _request(self, config: RunConfig) -> TrainRequest:
        start = self.form.start
        if start is None:
            return TrainRequest(config=config)
        return TrainRequest(config=config, init_from=start.source, chosen=start.chosen(config), preset_chosen=True)

    def choose_start(self, store: RunStore) -> None:
        """Ask what the run starts from."""
        work: Callable[[], Awaitable[None]] = partial(self._choose_start, store)
        self.screen.run_worker(work, exclusive=True, group="question", exit_on_error=False)

    async def _choose_start(self, store: RunStore) -> None:
        form = self.form
        choices = start_choices(await asyncio.to_thread(store.list))
        current = NEW_WEIGHTS if form.start is None else form.start.source
        source = await self.app.push_screen_wait(StartChooser(choices, current))
        if source is None:
            return
        try:
            start = StartFrom(source, await asyncio.to_thread(source_config, source, store)) if source else None
        except TuiGptError as error:
            self.notify(escape_controls(str(error)), severity="error", markup=False)
        else:
            form.choose_start(start)

    def refuse(self, error: TuiGptError) -> None:
        """Show why the run in the form cannot be started, until the form changes."""
        self._show_error(error)
        self._refused = self.config

    def _show_error(self, error: TuiGptError) -> None:
        """Show an error under the field that it is about, or in place of the estimate."""
        field = field_of(error) if isinstance(error, ConfigError | CorpusError) else None
        sentence = escape_controls(str(error))
        if field is not None:
            self.form.show_sentence(field, sentence)
        self._show_estimate(sentence if field is None else "")

    @on(SettingsForm.Edited)
    def _form_edited(self, event: SettingsForm.Edited) -> None:
        self.query_one("#start", Button).disabled = event.config is None
        self.cancel_estimate()
        if event.config is None:
            self._show_estimate("")
        elif event.config != self._refused:
            self._refused = None
            work: Callable[[], Awaitable[None]] = partial(self._estimate, event.config, self._control)
            self.screen.run_worker(work, exclusive=True, group="estimate", exit_on_error=False)

    # The estimate

    def cancel_estimate(self) -> None:
        """Stop timing the run in the form."""
        self._control.stop()
        self._control = Control()
        self._is_estimating = False
        self.workers.cancel_group(self.screen, "estimate")

    async def _estimate(self, config: RunConfig, control: Control) -> None:
        """Time a few steps of a run, and show how long all of them will take."""
        await asyncio.sleep(_REST_SECONDS)
        self._is_estimating = True
        try:
            estimate = await in_background(self._computed, config, control)
        except TuiGptError as error:
            if not control.stop_requested:
                self._show_error(error)
        else:
            if not control.stop_requested:
                self._show_estimate(estimate_words(estimate))
        finally:
            if control is self._control:
                self._is_estimating = False

    def _computed(self, config: RunConfig, control: Control) -> Estimate:
        """Return the estimate of a run whose texts are files. Reads the disk. Raises TuiGptError."""
        require_files(config)
        return self._session.estimate(config, control)

    def show_estimating(self) -> None:
        """Show what the estimate in progress is busy with; to be called on a timer."""
        if self._is_estimating:
            activity = self._control.activity or Activity("timing a few steps")
            self._show_estimate(f"estimating: {self._watch.words(activity) or activity.name + '…'}")

    def _show_estimate(self, words: str) -> None:
        if words != self._words:
            self._words = words
            self.query_one("#estimate", Static).update(words)
            self.post_message(self.EstimateChanged(words))


def estimate_words(estimate: Estimate) -> str:
    """Return an estimate as a line, and a second one with an upper bound of the loss where there is one.

    No loss is predicted: the bound is what the run's n-gram prior reaches alone, and the network only improves on it.
    """
    words = (
        f"about {format_duration(estimate.seconds)} · {estimate.iterations:,} steps"
        f" · {format_count(estimate.parameters)} parameters"
        f" · {format_count(estimate.train_tokens)} {token_noun(estimate.tokenizer)}s"
    )
    if estimate.ngram_loss is None:
        return words
    return f"{words}\nvalidation loss at most about {estimate.ngram_loss:.2f}, which its n-gram prior reaches alone"
