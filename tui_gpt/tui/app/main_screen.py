"""The four tabs: connects keys, buttons and messages of widgets to the `RunControl` and the Generate tab.

It contains no arithmetic and draws nothing. A timer applies what the training thread has reported ten times per second.
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.notifications import SeverityLevel
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane
from textual.worker import Worker, WorkerState

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Saved, SettingValue
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.announcements import announcement
from tui_gpt.tui.app.app_title import AppTitle
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.preferences import apply_generate_settings, initial_run
from tui_gpt.tui.app.quitting import Quitting, unsaved_state_sentence
from tui_gpt.tui.app.run_alerts import RunAlerts
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.app.status_line import StatusLine
from tui_gpt.tui.app.steady_tabs import SteadyTabs
from tui_gpt.tui.dialogs import learning_rate_question, more_steps_question
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.threads import in_background
from tui_gpt.tui.train.feed import Ending, RunUpdate
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_actions import RunAction, is_available
from tui_gpt.tui.train.run_control import RunControl
from tui_gpt.tui.train.setup_pane import SetupPane
from tui_gpt.tui.train.train_pane import TrainPane

if TYPE_CHECKING:
    from tui_gpt.tui.data.data_pane import DataPane
    from tui_gpt.tui.generate.generate_pane import GeneratePane

POLL_SECONDS = 0.1
_RUNS_SECONDS = 5.0
"""Time between two looks at the runs on disk, while they are on screen."""
_PROBLEM_SECONDS = 10.0


class MainScreen(SizedScreen[None]):
    """Train, Generate, Runs, Data."""

    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("form.start", "run('start')", "Start"),
        key_binding("form.all_settings", "run('all_settings')", "All settings"),
        key_binding("form.start_from", "run('start_from')", "Start from"),
        key_binding("run.pause", "run('pause')", "Pause"),
        key_binding("run.pause", "run('continue')", "Continue"),
        key_binding("run.stop", "run('stop')", "Stop"),
        key_binding("run.detach", "run('detach')", "Detach"),
        key_binding("run.resume", "run('resume')", "Resume"),
        key_binding("run.change_learning_rate", "run('change_learning_rate')", "Rate"),
        key_binding("run.generate", "run('generate')", "Generate"),
        key_binding("run.new", "run('new')", "New run"),
        key_binding("run.toggle_log", "run('toggle_log')", "Log scale"),
        key_binding("tab.train", "tab('train')", "Train", show=False),
        key_binding("tab.generate", "tab('generate')", "Generate", show=False),
        key_binding("tab.runs", "tab('runs')", "Runs", show=False),
        key_binding("tab.data", "tab('data')", "Data", show=False),
        key_binding("app.help", "help", "Help", key_display="F1"),
        key_binding("app.quit", "quit", "Quit"),
    ]

    def __init__(
        self,
        session: SessionLike,
        store: RunStore,
        state: AppState,
        alerts: RunAlerts,
        request: TrainRequest | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self._alerts = alerts
        self.control = RunControl(session, store)
        self.quitting = Quitting(self, self.control, state, self._stop_work)
        self._request = request
        self._is_state_saved = True
        config, self.settings_problem = initial_run(state)
        self.tabs = SteadyTabs(initial="train")
        self.train_pane = TrainPane(self.control, state, config)
        self.generate_pane: GeneratePane | None = None
        """Created when its tab is first opened, like the next two."""
        self.runs_pane: RunsPane | None = None
        self.data_pane: DataPane | None = None
        self._creating_pane = asyncio.Lock()

    # Start

    def compose(self) -> ComposeResult:
        """Lay out a line at the top, four tabs, and the keys at the bottom."""
        self.set_size_classes()
        with Horizontal(id="top"):
            yield AppTitle(id="title")
            yield StatusLine(self.control, id="top-status")
        with self.tabs:
            with TabPane("Train", id="train"):
                yield self.train_pane
            yield TabPane("Generate", id="generate")
            yield TabPane("Runs", id="runs-tab")
            yield TabPane("Data", id="data")
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Defer everything slow until after the first paint."""
        self.set_interval(POLL_SECONDS, self._poll)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.control.loader.start()
        self.show_status()
        self.set_interval(_RUNS_SECONDS, self._reload_visible_runs)
        self._warn(self.settings_problem)
        if self._request is not None:
            self.begin_training(self._request)

    def show_status(self) -> None:
        """Update the status at the right end of the top line."""
        self.query_one(StatusLine).refresh_words(is_leaving=self.quitting.is_leaving)

    def _warn(self, words: str, severity: SeverityLevel = "warning") -> None:
        if words:
            self.notify(escape_controls(words), severity=severity, markup=False, timeout=_PROBLEM_SECONDS)

    @on(Worker.StateChanged)
    def _worker_changed(self, event: Worker.StateChanged) -> None:
        """Report an unexpected error in the background, and carry on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._warn(self.control.sentence_of(event.worker.error), "error")

    # Tabs

    def action_tab(self, name: str) -> None:
        """Show a tab and focus its main widget."""
        self.tabs.active = "runs-tab" if name == "runs" else name
        self.call_after_refresh(self._focus_tab)

    async def _focus_tab(self) -> None:
        match self.active_tab:
            case "train":
                self.train_pane.focus_main()
            case "runs":
                (await self.require_runs_pane()).focus_main()
            case "data":
                (await self.require_data_pane()).focus_main()
            case _:
                pane = await self.require_generate_pane()
                if self.active_tab == "generate":
                    pane.focus_prompt()

    @property
    def active_tab(self) -> str:
        """`train`, `generate`, `runs` or `data`."""
        return self.tabs.active.removesuffix("-tab")

    @on(TabbedContent.TabActivated)
    async def _tab_activated(self) -> None:
        self.refresh_bindings()
        if self.active_tab == "generate":
            await self.require_generate_pane()
        elif self.active_tab == "runs":
            (await self.require_runs_pane()).reload()
        elif self.active_tab == "data":
            (await self.require_data_pane()).reload()

    def _reload_visible_runs(self) -> None:
        if self.active_tab == "runs" and self.runs_pane is not None:
            self.runs_pane.reload()

    async def require_generate_pane(self) -> "GeneratePane":
        """Return the content of the Generate tab, creating it the first time."""
        async with self._creating_pane:
            if self.generate_pane is None:
                from tui_gpt.tui.generate.generate_pane import GeneratePane

                self._warn(apply_generate_settings(self.state))
                pane = GeneratePane(self.control.session, self.state, store=self.control.store)
                await self.query_one("#generate", TabPane).mount(pane)
                self.generate_pane = pane
                if self.control.is_training:
                    pane.set_training(self.control.training_name)
        return self.generate_pane

    async def require_runs_pane(self) -> RunsPane:
        """Return the content of the Runs tab, creating it the first time."""
        async with self._creating_pane:
            if self.runs_pane is None:
                pane = RunsPane(self.control)
                await self.query_one("#runs-tab", TabPane).mount(pane)
                self.runs_pane = pane
        return self.runs_pane

    async def require_data_pane(self) -> "DataPane":
        """Return the content of the Data tab, creating it the first time."""
        async with self._creating_pane:
            if self.data_pane is None:
                from tui_gpt.tui.data.data_pane import DataPane

                pane = DataPane(self.control.store, self.state)
                await self.query_one("#data", TabPane).mount(pane)
                self.data_pane = pane
        return self.data_pane

    def on_data_pane_train_requested(self, event: "DataPane.TrainRequested") -> None:
        """Put a text into the form of the next run, and show it."""
        if not self._is_busy():
            self.train_pane.show_form()
            self.train_pane.setup.form.choose_text(event.source)
            self.action_tab("train")

    async def generate_with(self, source: str) -> None:
        """Open the Generate tab with a model."""
        pane = await self.require_generate_pane()
        self.tabs.active = "generate"
        pane.use_source(source)

    def visible_widgets(self) -> Iterator[Widget]:
        """Yield the widgets of the active tab whose keys may work: those that are displayed."""
        if self.tabs.active_pane is not None:
            yield from (widget for widget in self.tabs.active_pane.query(Widget) if widget.display)

    # Training

    @on(SetupPane.StartRequested)
    def _start_requested(self, event: SetupPane.StartRequested) -> None:
        self.begin_training(event.request)

    @work(exclusive=True, group="begin", exit_on_error=False)
    async def begin_training(self, request: TrainRequest) -> None:
        """Start or resume a run, and show it."""
        if self._is_busy():
            return
        self.train_pane.setup.cancel_estimate()
        try:
            with self.control.task("reading the text"):
                run = await in_background(self.control.prepare, request)
        except TuiGptError as error:
            self._refuse(error)
            return
        if request.resume is None:
            self.state.remember_text(run.request.config.corpus)
        for note in run.notes:
            self._warn(note, "information")
        self.control.start(run)
        self.action_tab("train")
        self.train_pane.show_run(run.record)
        self._run_changed()

    def _is_busy(self) -> bool:
        """Return whether a run is in progress, and notify the user if it is."""
        if self.control.is_training:
            self._warn("a run is training already: stop it first")
        return self.control.is_training

    def _refuse(self, error: TuiGptError) -> None:
        """Say why a run cannot start: in the form, or in a notification if a run is on screen."""
        if self.train_pane.record is None:
            self.train_pane.setup.refuse(error)
        else:
            self._warn(str(error), "error")

    def _poll(self) -> None:
        """Show what the training thread has reported."""
        if self.quitting.has_left:
            return
        self.show_status()
        self.train_pane.show_activity(self.control.run_activity(self.train_pane.record))
        own = self.control.poll()
        self._alerts.show(self.control.record, own)
        for update in (own, self.control.poll_attached()):
            if update is not None:
                self._show_update(update)

    def _show_update(self, update: RunUpdate) -> None:
        if self.train_pane.record is update.record:
            self.train_pane.refresh_run()
        if any(isinstance(event, Saved) for event in update.events):
            self._reload_visible_runs()
        for event in update.events:
            if (notice := announcement(event)) is not None:
                self._warn(notice.words, notice.severity)
        if update.ending is not None:
            self._show_ending(update.ending, update.error)
        if update.is_changed or update.ending is not None:
            self._run_changed()

    def _show_ending(self, ending: Ending, error: Exception | None) -> None:
        """Return to the form if the run did not begin."""
        if ending == "followed":
            return
        record = self.control.record
        if self.quitting.run_ended() or record is None:
            return
        if ending == "refused" and isinstance(error, TuiGptError):
            self.train_pane.show_form(record.config)
            self.train_pane.setup.refuse(error)
        elif ending == "cancelled":
            self.train_pane.show_form()

    def _run_changed(self) -> None:
        """Update everything that depends on whether a run is in progress, paused or saved."""
        self.refresh_bindings()
        self.show_status()
        self._reload_visible_runs()
        if self.generate_pane is not None:
            self.generate_pane.set_training(self.control.training_name)

    def was_suspended(self, seconds: float) -> None:
        """Exclude the time in which the process was suspended from the run's time."""
        self.control.exclude_seconds(seconds)

    # Actions on the run on screen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the keys that make no sense now; they are then absent from the footer."""
        if action != "run" or not parameters:
            return super().check_action(action, parameters)
        shown = self.train_pane.record
        return self.active_tab == "train" and is_available(
            RunAction(str(parameters[0])), shown, is_live=self.control.is_live(shown)
        )

    async def action_run(self, name: str) -> None:
        """Perform a `RunAction`."""
        record = self.train_pane.record
        match RunAction(name):
            case RunAction.START:
                self.train_pane.setup.request_start()
            case RunAction.ALL_SETTINGS:
                await self.train_pane.setup.form.toggle_all()
            case RunAction.START_FROM:
                self.train_pane.setup.choose_start(self.control.store)
            case RunAction.PAUSE | RunAction.CONTINUE:
                self.control.toggle_pause(record)
            case RunAction.STOP:
                self.control.stop(record)
            case RunAction.DETACH:
                self.control.detach()
                self.train_pane.show_form()
            case RunAction.TOGGLE_LOG:
                self.train_pane.toggle_log()
            case RunAction.NEW:
                self.train_pane.show_form()
            case RunAction.CHANGE_LEARNING_RATE if record is not None:
                self._change_learning_rate(record)
            case RunAction.RESUME if record is not None:
                planned = record.max_iters or 0
                self.resume_run(record.name, record.step, planned, is_done=record.step >= max(1, planned))
            case RunAction.GENERATE if record is not None:
                await self.generate_with(record.name)
        self.train_pane.refresh_run()
        self.refresh_bindings()
        self.show_status()

    @work(exclusive=True, group="question", exit_on_error=False)
    async def _change_learning_rate(self, record: RunView) -> None:
        answer = await self.app.push_screen_wait(learning_rate_question(record))
        if answer is not None:
            self.control.change_learning_rate(answer, record)

    @work(exclusive=True, group="question", exit_on_error=False)
    async def resume_run(self, name: str, step: int, max_iters: int, *, is_done: bool) -> None:
        """Resume a run; ask how many more steps to make if it has made all of them."""
        if self._is_busy():
            return
        changes: dict[str, SettingValue] = {}
        if is_done:
            answer = await self.app.push_screen_wait(more_steps_question(name, step, max_iters))
            if answer is None:
                return
            changes = {"max_iters": answer, "max_seconds": None}
        self.begin_training(TrainRequest(resume=name, changes=changes))

    # Requests of the Runs tab

    @on(RunsPane.ResumeRequested)
    def _resume_requested(self, event: RunsPane.ResumeRequested) -> None:
        run = event.run
        self.resume_run(run.name, run.step, run.max_iters, is_done=run.state == "finished")

    @on(RunsPane.GenerateRequested)
    async def _generate_requested(self, event: RunsPane.GenerateRequested) -> None:
        await self.generate_with(event.run.name)

    @on(RunsPane.Opened)
    def _run_opened(self, event: RunsPane.Opened) -> None:
        self.train_pane.show_run(event.record)
        self.action_tab("train")
        self.refresh_bindings()

    @on(RunsPane.Deleted)
    def _run_deleted(self, event: RunsPane.Deleted) -> None:
        if self.train_pane.record is not None and self.train_pane.record.name == event.name:
            self.train_pane.show_form()

    @on(RunsPane.Renamed)
    def _run_renamed(self, event: RunsPane.Renamed) -> None:
        shown = self.train_pane.record
        if shown is not None and shown.name == event.name:
            shown.name = event.new_name
            self.train_pane.refresh_run()
        if self.state.source == event.name:
            self.state.source = event.new_name

    # Leaving, help

    @work(exclusive=True, group="question", exit_on_error=False)
    async def action_quit(self) -> None:
        """Leave; ask first while a run is in progress."""
        await self.quitting.ask()

    def _stop_work(self) -> None:
        """Ask everything but the run in progress to stop."""
        self.control.loader.leave()
        self.control.detach()
        self.train_pane.setup.cancel_estimate()
        if self.generate_pane is not None:
            self.generate_pane.stop()
        if self.data_pane is not None:
            self.data_pane.stop()

    def save_state(self) -> None:
        """Save the app's state; report the first failure after a success."""
        is_saved = self.state.save()
        if self._is_state_saved and not is_saved:
            self._warn(unsaved_state_sentence())
        self._is_state_saved = is_saved

    def action_help(self) -> None:
        """Show all keys and the symbols of the chart."""
        self.app.push_screen(HelpScreen(self.active_tab))

    def choose_preset(self, name: str) -> None:
        """Fill the form with a preset, unless a run is in progress."""
        self.action_tab("train")
        if not self.control.is_training:
            self.train_pane.show_form()
            self.train_pane.setup.form.choose_preset(name)
            self.refresh_bindings()
