"""The Train tab: the form of the next run, or a run.

On a wide screen the form is shown beside an empty chart, on a narrow one alone.
"""

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from tui_gpt.config import RunConfig
from tui_gpt.control import Activity
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.train.activity import ActivityWatch
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_control import RunControl
from tui_gpt.tui.train.run_pane import RunPane
from tui_gpt.tui.train.setup_pane import SetupPane

_START_MESSAGE = "press {form.start} to train"


class TrainPane(Widget):
    """Everything about training, on one screen."""

    def __init__(self, control: RunControl, state: AppState, base: RunConfig, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-form")
        self._control = control
        self._state = state
        self._watch = ActivityWatch()
        self.setup = SetupPane(control.session, state, base, id="setup")
        self.run_pane = RunPane(id="run")
        self.record: RunView | None = None
        """The run on screen; None for the form."""

    def compose(self) -> ComposeResult:
        """Lay out form and run side by side."""
        yield self.setup
        yield self.run_pane

    def on_mount(self) -> None:
        """Begin with the form."""
        self.run_pane.chart.log_y = self._state.log_y
        self.show_form()

    def show_form(self, config: RunConfig | None = None) -> None:
        """Show the form, with the settings of `config` if it is given."""
        self.record = None
        self.set_class(True, "-form")
        if config is not None:
            self.setup.form.fill(config)
        preview = RunView(config=self.setup.config or RunConfig(corpus=""))
        preview.phase = "replayed"
        chart = self.run_pane.chart
        chart.cursor = None
        chart.message = keymap_of(self).fill(_START_MESSAGE)
        chart.can_focus = False
        chart.show(preview)
        self.focus_main()

    def show_run(self, record: RunView) -> None:
        """Show a run; call `refresh_run` whenever it has changed."""
        self.record = record
        self.set_class(False, "-form")
        self.run_pane.chart.cursor = None
        self.run_pane.chart.can_focus = True
        self.refresh_run()
        self.focus_main()

    def refresh_run(self) -> None:
        """Redraw the run on screen."""
        if self.record is not None:
            self.run_pane.show(self.record, is_live=self._control.is_live(self.record))

    def show_activity(self, activity: Activity | None) -> None:
        """Show what the run in progress is busy with, and the estimate; to be called on a timer."""
        words = self._watch.words(activity)
        if self.record is not None:
            self.run_pane.show_activity(words if self._control.is_live(self.record) else "")
        self.setup.show_estimating()

    def focus_main(self) -> None:
        """Focus the form, or the chart, unless another tab is shown, whose keys would no longer work."""
        if not all(node.display for node in self.ancestors_with_self if isinstance(node, Widget)):
            return
        if self.record is None:
            self.setup.form.focus_first()
        else:
            self.run_pane.chart.focus()

    def toggle_log(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        chart = self.run_pane.chart
        chart.log_y = self._state.log_y = not chart.log_y

    @on(SetupPane.EstimateChanged)
    def _estimate_changed(self, event: SetupPane.EstimateChanged) -> None:
        if self.record is None:
            message = keymap_of(self).fill(_START_MESSAGE)
            self.run_pane.chart.message = f"{message}\n\n{event.words.split(' · ')[0]}"
