"""The Train tab: the form of the next run, or the run itself, with its figures, its chart and what it writes.

The pane shows a `RunRecord` and posts what the user asks for; it starts no thread and holds no control. On a wide
screen form and chart stand side by side until a run starts, on a narrow one they take turns.
"""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from tui_gpt.config import RunConfig
from tui_gpt.errors import ConfigError, CorpusError, TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Sampled
from tui_gpt.formatting import format_count, format_duration
from tui_gpt.requests import Estimate, TrainRequest
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.train.form import field_of
from tui_gpt.tui.train.loss_chart import LossChart
from tui_gpt.tui.train.record import Phase, RunRecord
from tui_gpt.tui.train.run_status import RunStatus, headline
from tui_gpt.tui.train.settings_form import SettingsForm

_SIGNS: dict[Phase, str] = {
    "loading": "◌",
    "running": "●",
    "pausing": "‖",
    "paused": "‖",
    "stopping": "◌",
    "finished": "✓",
    "failed": "✗",
    "replayed": "▪",
}


class SampleStrip(Vertical):
    """What the model wrote at the step the chart's cursor is on; the newest without a cursor."""

    def compose(self) -> ComposeResult:
        """A heading and the text."""
        yield Static("", id="sample-heading", markup=False)
        yield Static("", id="sample-text", markup=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Sampled | None = None

    def show(self, record: RunRecord, step: float | None) -> None:
        """Show the sample of `step`, or the newest; nothing where there is none."""
        sample = record.sample_at(record.step if step is None else step)
        if sample is self._shown and sample is not None:
            return
        self._shown = sample
        self.display = sample is not None
        if sample is not None:
            self.query_one("#sample-heading", Static).update(f"what it writes at step {sample.step:,}")
            self.query_one("#sample-text", Static).update(escape_controls(sample.prompt + sample.text).strip("\n"))


class TrainPane(Widget):
    """Everything about training, on one screen."""

    class StartAsked(Message):
        """The run in the form is to start."""

        def __init__(self, request: TrainRequest) -> None:
            self.request = request
            super().__init__()

    class EstimateWanted(Message):
        """The form describes a run whose time is not known yet; None is no run at all."""

        def __init__(self, config: RunConfig | None) -> None:
            self.config = config
            super().__init__()

    class ActionAsked(Message):
        """A button was pressed that stands for one of the app's actions."""

        def __init__(self, action: str) -> None:
            self.action = action
            super().__init__()

    def __init__(self, state: AppState, base: RunConfig, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-form")
        self._state = state
        self._base = base
        self.record: RunRecord | None = None
        """The run on screen; None is the form."""
        self._estimate = ""
        self._activity = ""
        """What the run's worker is busy with, in words."""
        self._buttons_of: tuple[Phase, bool] | None = None
        """What the buttons were last chosen by."""

    def compose(self) -> ComposeResult:
        """Form and run, side by side."""
        with Vertical(id="setup"):
            yield SettingsForm(self._base, id="form")
            yield Static("", id="estimate", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Start  s", id="start", variant="primary", compact=True)
        with Vertical(id="run"):
            with Horizontal(id="headline"):
                yield Static("", id="headline-text", markup=False)
                with Horizontal(classes="buttons", id="run-buttons"):
                    yield Button("Pause  p", id="pause", compact=True)
                    yield Button("Stop  x", id="stop", compact=True)
                    yield Button("Go on  r", id="resume-run", compact=True)
                    yield Button("Write  g", id="write", compact=True)
                    yield Button("New run  n", id="new", compact=True)
            yield Static("", id="failure", markup=False)
            yield RunStatus(id="status")
            yield LossChart(id="chart")
            yield SampleStrip(id="sample")

    def on_mount(self) -> None:
        """Begin with the form."""
        self.query_one(LossChart).log_y = self._state.log_y
        self.query_one(SampleStrip).display = False
        self.show_form()

    def show_form(self, config: RunConfig | None = None) -> None:
        """Ask for the next run; with a `config`, offer that one."""
        self.record = None
        self.set_class(True, "-form")
        if config is not None:
            self.form.fill(config)
        chart = self.query_one(LossChart)
        chart.cursor = None
        chart.message = "press s to train"
        preview = RunRecord(config=self._preview_config())
        preview.phase = "replayed"
        chart.show(preview)
        self.focus_main()

    def _preview_config(self) -> RunConfig:
        try:
            return self.form.config()
        except ConfigError:
            return RunConfig(corpus="")

    def show_run(self, record: RunRecord) -> None:
        """Show a run from now on; call `refresh_run` whenever it has grown."""
        self.record = record
        self.set_class(False, "-form")
        self.query_one(LossChart).cursor = None
        self._buttons_of = None
        self.refresh_run()
        self.focus_main()

    def refresh_run(self) -> None:
        """Draw the run as it stands now."""
        record = self.record
        if record is None:
            return
        chart = self.query_one(LossChart)
        chart.message = self._waiting_message(record)
        chart.show(record)
        self.query_one(RunStatus).show(record)
        self.query_one(SampleStrip).show(record, chart.cursor)
        self._show_headline(record)
        failure = self.query_one("#failure", Static)
        trouble = record.failure or record.warning or ""
        failure.update(escape_controls(trouble))
        failure.display = bool(trouble)
        self._show_buttons(record)

    def show_activity(self, words: str) -> None:
        """Say what the run's worker is busy with; "" for nothing but what its events tell."""
        if words != self._activity:
            self._activity = words
            if self.record is not None:
                self._show_headline(self.record)

    def _show_headline(self, record: RunRecord) -> None:
        line = f"{_SIGNS[record.phase]} {escape_controls(headline(record, self._activity))}"
        self.query_one("#headline-text", Static).update(line, layout=False)

    @staticmethod
    def _waiting_message(record: RunRecord) -> str:
        if record.phase == "failed":
            return "nothing was trained"
        if not record.is_live:
            return "nothing was logged yet"
        return "the first losses appear in a moment" if record.started else "preparing the text and the model…"

    def _show_buttons(self, record: RunRecord) -> None:
        facts = (record.phase, record.saved is None)
        if facts == self._buttons_of:
            return
        self._buttons_of = facts
        live, going = record.is_live, record.phase in ("running", "pausing", "paused")
        self.query_one("#pause", Button).label = "Pause  p" if record.phase == "running" else "Go on  p"
        for name, shown in (
            ("pause", going),
            ("stop", going or record.phase == "loading"),
            ("resume-run", not live and bool(record.name) and record.phase != "finished"),
            ("write", record.saved is not None or (not live and bool(record.name))),
            ("new", not live),
        ):
            self.query_one(f"#{name}", Button).display = shown

    def focus_main(self) -> None:
        """Put the keyboard where it is of most use."""
        if self.record is None:
            self.form.focus_first()
        else:
            self.query_one(LossChart).focus()

    @property
    def form(self) -> SettingsForm:
        """The form of the next run."""
        return self.query_one(SettingsForm)

    def request_start(self) -> None:
        """Ask for the run in the form, if it can be one."""
        try:
            config = self.form.config()
        except ConfigError:
            self.app.bell()
            return
        self._state.preset, self._state.corpus = config.preset, config.corpus
        self.post_message(self.StartAsked(TrainRequest(config=config)))

    def toggle_log(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        chart = self.query_one(LossChart)
        chart.log_y = self._state.log_y = not chart.log_y

    def refuse(self, error: TuiGptError) -> None:
        """The form's run cannot be: say so under the field that it is about, or where its time is told."""
        field = field_of(error) if isinstance(error, ConfigError | CorpusError) else None
        if field is not None:
            self.form.show_sentence(field, escape_controls(str(error)))
        self.show_estimate(escape_controls(str(error)) if field is None else "")

    def show_estimate(self, words: str) -> None:
        """What is known of the time the form's run takes."""
        if words == self._estimate:
            return
        self._estimate = words
        self.query_one("#estimate", Static).update(words)
        if self.record is None:
            self.query_one(LossChart).message = f"press s to train\n\n{words.split(' · ')[0]}"

    @on(SettingsForm.Edited)
    def _form_edited(self, event: SettingsForm.Edited) -> None:
        self.query_one("#start", Button).disabled = event.config is None
        self.post_message(self.EstimateWanted(event.config))

    @on(LossChart.CursorMoved)
    def _cursor_moved(self, event: LossChart.CursorMoved) -> None:
        if self.record is not None:
            self.query_one(SampleStrip).show(self.record, event.step)

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        actions = {"start": "start", "pause": "pause", "stop": "stop", "resume-run": "go_on", "write": "write"}
        self.post_message(self.ActionAsked(actions.get(event.button.id or "", "new")))


def estimate_words(estimate: Estimate) -> str:
    """An estimate as one line."""
    return (
        f"about {format_duration(estimate.seconds)} · {estimate.iterations:,} steps"
        f" · {format_count(estimate.parameters)} parameters · {format_count(estimate.train_tokens)} characters"
    )
