"""A run on screen: headline and buttons, figures, loss chart, and samples."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Button, Static

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.chart.small_charts import SmallCharts
from tui_gpt.tui.train.hints import Hint, banner, evidence_of, explanation, hint_of
from tui_gpt.tui.train.record import Phase, RunView
from tui_gpt.tui.train.run_actions import RunAction, is_available
from tui_gpt.tui.train.run_status import RunStatus, headline
from tui_gpt.tui.train.sample_strip import SampleStrip
from tui_gpt.tui.train.scrubbing import sample_step

_SYMBOLS: dict[Phase, str] = {
    "loading": "◌",
    "running": "●",
    "pausing": "‖",
    "paused": "‖",
    "stopping": "◌",
    "finished": "✓",
    "failed": "✗",
    "replayed": "▪",
}


class RunPane(Vertical):
    """One run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("run.previous_sample", "sample(-1)", "Previous sample", show=False),
        key_binding("run.next_sample", "sample(1)", "Next sample", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record = RunView()
        self._activity = ""
        self._buttons_key: tuple[Phase, bool, bool] | None = None
        """What the visible buttons were last chosen by."""
        self._evidence: tuple[object, ...] = ()
        self._hint: Hint | None = None
        self._words: dict[str, str] = {}
        """The texts on screen, by widget."""

    def compose(self) -> ComposeResult:
        """Lay out headline, figures, chart and sample."""
        with Horizontal(id="headline"):
            yield Static("", id="headline-text", markup=False)
            with Horizontal(classes="buttons", id="run-buttons"):
                for label, name, action in (
                    (("Pause", "run.pause"), "pause", RunAction.PAUSE),
                    (("Continue", "run.pause"), "continue", RunAction.CONTINUE),
                    (("Stop", "run.stop"), "stop", RunAction.STOP),
                    (("Detach", "run.detach"), "detach", RunAction.DETACH),
                    (("Resume", "run.resume"), "resume-run", RunAction.RESUME),
                    (("Generate", "run.generate"), "generate-with", RunAction.GENERATE),
                    (("New run", "run.new"), "new", RunAction.NEW),
                ):
                    yield Button(button_label(self, *label), id=name, action=f"screen.run('{action}')", compact=True)
        yield Static("", id="failure", markup=False)
        yield RunStatus(id="status")
        with Container(id="views"):
            with Vertical(id="charts"):
                yield LossChart(id="chart")
                yield SmallCharts(id="small-charts")
                yield Static("", id="hint", markup=False)
            yield SampleStrip(id="sample")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the keys of samples while there is none."""
        return bool(self._record.samples) if action == "sample" else super().check_action(action, parameters)

    def on_mount(self) -> None:
        """Hide the empty sample."""
        self.query_one(SampleStrip).display = False

    @property
    def chart(self) -> LossChart:
        """The loss chart."""
        return self.query_one(LossChart)

    def show(self, record: RunView, *, is_live: bool) -> None:
        """Draw a run; `is_live` means that it is in progress, in this app or in a process it follows."""
        if record is not self._record:
            self._record, self._buttons_key, self.chart.cursor = record, None, None
        chart = self.chart
        chart.message = _empty_message(record)
        chart.show(record)
        self.query_one(SmallCharts).show(record, chart.settings)
        self.query_one(RunStatus).show(record)
        self.query_one(SampleStrip).show(record, chart.cursor)
        self._show_headline()
        self._show_problem(banner(record))
        self._show_hint()
        self._show_buttons(record, is_live=is_live)

    def show_activity(self, words: str) -> None:
        """Show the activity of the run; "" while its events suffice."""
        if words != self._activity:
            self._activity = words
            self._show_headline()

    def _show_headline(self) -> None:
        record = self._record
        line = f"{_SYMBOLS[record.phase]} {escape_controls(headline(record, self._activity))}"
        self._write("headline-text", line)

    def _show_problem(self, sentence: str) -> None:
        self._write("failure", escape_controls(sentence))
        self.query_one("#failure", Static).display = bool(sentence)

    def _show_hint(self) -> None:
        """Show a hint on the run, or what its loss means."""
        evidence = evidence_of(self._record)
        if evidence != self._evidence:
            self._evidence, self._hint = evidence, hint_of(self._record, keymap_of(self))
        hint = self._hint
        loss = self._record.train.line().at(self._record.step)
        self._write("hint", hint.words if hint else explanation(self._record, loss))
        self.query_one("#hint", Static).set_class(hint is not None, "-hint")

    def _write(self, name: str, words: str) -> None:
        """Update a text if it has changed."""
        if words != self._words.get(name):
            self._words[name] = words
            self.query_one(f"#{name}", Static).update(words, layout=name == "failure")

    def _show_buttons(self, record: RunView, *, is_live: bool) -> None:
        key = (record.phase, record.saved is None, is_live)
        if key == self._buttons_key:
            return
        self._buttons_key = key
        is_followed = is_available(RunAction.DETACH, record, is_live=is_live)
        paused = is_available(RunAction.CONTINUE, record, is_live=is_live)
        for name, shown in (
            ("pause", record.phase == "running" and is_live),
            ("continue", paused),
            ("stop", paused or (record.phase in ("loading", "running") and is_live)),
            ("detach", is_followed),
            ("resume-run", is_available(RunAction.RESUME, record, is_live=is_live) and record.phase != "finished"),
            ("generate-with", is_available(RunAction.GENERATE, record, is_live=is_live) and not is_followed),
            ("new", is_available(RunAction.NEW, record, is_live=is_live)),
        ):
            self.query_one(f"#{name}", Button).display = shown

    @on(LossChart.CursorMoved)
    def _cursor_moved(self, event: LossChart.CursorMoved) -> None:
        self.query_one(SmallCharts).cursor = event.step
        self.query_one(SampleStrip).show(self._record, event.step)

    @on(SampleStrip.Scrubbed)
    def _scrubbed(self, event: SampleStrip.Scrubbed) -> None:
        self.action_sample(event.moves)

    def action_sample(self, moves: int) -> None:
        """Show an earlier or a later sample, and put the chart's cursor on its step."""
        step = sample_step(self._record.samples, self.chart.cursor, moves)
        if step is not None:
            self.chart.cursor = step

    @on(LossChart.ViewChanged)
    def _view_changed(self, event: LossChart.ViewChanged) -> None:
        self.query_one(SmallCharts).show(self._record, event.settings)


def _empty_message(record: RunView) -> str:
    """Return the text for a chart without losses."""
    if record.phase == "failed":
        return "nothing was trained"
    if not record.is_live:
        return "no losses were logged"
    return "waiting for the first losses" if record.started else "preparing text and model…"
