"""Three tabs over one session: the one place where what the user asks for becomes a thread, a file or an exit.

Widgets post what happened, this screen decides; the trainer runs in a thread of its own (`feed.Training`), its events
are drawn ten times a second. It holds no arithmetic and draws nothing.
"""

import asyncio
import dataclasses
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static, TabbedContent, TabPane
from textual.worker import Worker, WorkerState

from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.control import Activity, Control
from tui_gpt.errors import EXIT_DONE, ConfigError, TuiGptError, UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import ChangeRefused, Event, Initialized, ResumeDiffers, Saved, SettingValue
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike, source_characters
from tui_gpt.storage import crash, paths
from tui_gpt.storage.runs import RunStore, RunSummary
from tui_gpt.text.check import check_texts
from tui_gpt.tui.app.dialogs import NumberScreen, delete_question, quit_question
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.threads import in_background
from tui_gpt.tui.torch_loader import LOADING, DeferredSession, TorchLoader
from tui_gpt.tui.train.activity import ActivityWatch, run_activity
from tui_gpt.tui.train.feed import Training
from tui_gpt.tui.train.form import changed_setting, later_step
from tui_gpt.tui.train.record import Phase, RunRecord, initialized_words
from tui_gpt.tui.train.train_pane import TrainPane, estimate_words

if TYPE_CHECKING:
    from tui_gpt.tui.generate.generate_pane import GeneratePane

DRAW_SECONDS = 0.1
_RUNS_SECONDS = 5.0
_TYPING_SECONDS = 0.4
"""How long the form must rest before its run is timed."""
_REFUSAL_SECONDS = 10.0
_PREPARING_PATIENCE_SECONDS = 0.5
"""How long quitting waits for a run that has not made a step: there is nothing of it to lose."""


def unsaved_state() -> str:
    """The sentence for a disk that does not take what the app remembers."""
    file = escape_controls(str(paths.state_file()))
    return f"theme, preset and sampling settings cannot be saved in {file}: free some space, or make it writable"


class SteadyTabs(TabbedContent):
    """Tabs that only the user and the screen change: Textual's own also bring back the one whose widget was focused,
    even where the user has gone on to another before that is told."""

    def on_tab_pane_focused(self, event: TabPane.Focused) -> None:
        event.stop()
        event.prevent_default()


class MainScreen(Screen[None]):
    """Train, write, and look at old runs."""

    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # Textual types it as an instance's
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-tall")]  # noqa: RUF012  # the same
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start"),
        Binding("p", "pause", "Pause"),
        Binding("x", "stop", "Stop"),
        Binding("r", "go_on", "Go on"),
        Binding("e", "change_rate", "Rate"),
        Binding("g", "write", "Write"),
        Binding("n", "new", "New run"),
        Binding("l", "toggle_log", "Log scale"),
        Binding("1,f2", "tab('train')", "Train", show=False),
        Binding("2,f3", "tab('generate')", "Generate", show=False),
        Binding("3,f4", "tab('runs')", "Runs", show=False),
        Binding("f1", "help", "Help", key_display="F1"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self, session: SessionLike, store: RunStore, state: AppState, request: TrainRequest | None = None
    ) -> None:
        super().__init__()
        self.state = state
        self.training: Training | None = None
        self.record: RunRecord | None = None
        """Of the run under way, or the last one."""
        self._request = request
        self._store = store
        self.waker = TorchLoader(session)
        self._session = DeferredSession(session, self.waker)
        self._estimating = Control()
        self._is_estimating = False
        self._refused: RunConfig | None = None
        """The form's run that was refused: its sentence is to stay, so nothing is timed."""
        self._state_saved = True
        self._errands: list[str] = []
        """What is being done on the disk, in words."""
        self._watches = {name: ActivityWatch() for name in ("top", "run", "estimate")}
        self._leaving: int | None = None
        self._ticker: Timer | None = None
        self._last_events: list[Event] = []
        self._status_shown = ""
        self._complaint = ""
        """What is wrong with the user's settings file."""
        self.tabs = SteadyTabs(initial="train")
        self.train_pane = TrainPane(self.state, self._first_config())
        self.runs_pane = RunsPane()
        self.generate_pane: GeneratePane | None = None
        """Made when its tab is first looked at."""
        self._making_pane = asyncio.Lock()

    # What is on screen

    def compose(self) -> ComposeResult:
        """A line at the top, three tabs, the keys at the bottom."""
        with Horizontal(id="top"):
            yield Static("tui-gpt", id="title")
            yield Static("", id="top-status", markup=False)
        with self.tabs:
            with TabPane("Train", id="train"):
                yield self.train_pane
            yield TabPane("Generate", id="generate")
            with TabPane("Runs", id="runs-tab"):
                yield self.runs_pane
        yield KeyFooter()

    def _first_config(self) -> RunConfig:
        """The run to offer: what the user trained last, unless the settings file or the environment says otherwise."""
        from tui_gpt.storage import settings

        try:
            if any(level for _, level in settings.config_layers("train")):
                return settings.preferred_run_config()
            return resolve(self.state.preset, self.state.corpus)
        except ConfigError as error:
            self._complaint = str(error)
            return RunConfig()

    def on_mount(self) -> None:
        """Everything slow comes after the first picture."""
        self._ticker = self.set_interval(DRAW_SECONDS, self._tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """What the first picture did not have to wait for."""
        self.waker.start()
        self.show_status()
        self.refresh_runs()
        self.set_interval(_RUNS_SECONDS, self._refresh_runs_on_screen)
        if self._complaint:
            self.notify(escape_controls(self._complaint), severity="warning", markup=False, timeout=_REFUSAL_SECONDS)
        if self._request is not None:
            self.begin_training(self._request)

    async def _show_generate_pane(self) -> "GeneratePane":
        """The Generate tab's content, made now if it is needed for the first time."""
        async with self._making_pane:
            if self.generate_pane is None:
                from tui_gpt.tui.generate.generate_pane import GeneratePane

                self._take_standing_settings()
                pane = GeneratePane(self._session, self.state, store=self._store)
                await self.query_one("#generate", TabPane).mount(pane)
                self.generate_pane = pane
                if self.is_training:
                    pane.training_changed(self._session.run_name)
        return self.generate_pane

    def _take_standing_settings(self) -> None:
        """What `config.toml` and the environment say of writing goes before what is remembered from last time."""
        from tui_gpt.storage import settings

        try:
            levels = settings.config_layers("generate")
            settings.sample_config(levels)
        except ConfigError as error:
            self.notify(escape_controls(str(error)), severity="warning", markup=False, timeout=_REFUSAL_SECONDS)
            return
        chosen = settings.merged(*(level for _, level in levels))
        sampling = {name: value for name, value in chosen.items() if name in settings.SAMPLE_HELP}
        self.state.sampling = dataclasses.replace(self.state.sampling, **sampling)
        self.state.source = chosen.get("run", self.state.source)

    def show_status(self) -> None:
        """The right end of the top line: what goes on behind any tab."""
        if self.waker.error is not None and self._leaving is None:
            words = "no PyTorch"
        else:
            activity = self._activity()
            words = self._watches["top"].words(activity) or self._progress_words()
            words = words or (f"{activity.name}…" if activity else "")
        if words != self._status_shown:
            self._status_shown = words
            self.query_one("#top-status", Static).update(escape_controls(words))

    def _activity(self) -> Activity | None:
        """What there is to wait for, the most important first."""
        activity = self._run_activity()
        if activity is None and self._errands:
            return Activity(self._errands[-1])
        return Activity(LOADING) if activity is None and not self.waker.is_done else activity

    def _run_activity(self) -> Activity | None:
        """What the run under way is busy with."""
        if self.training is None or self.record is None:
            return None
        return run_activity(self.training.control.activity, self.record.phase, self.record.step)

    def _progress_words(self) -> str:
        record = self.record
        if record is None or not record.is_live:
            return ""
        return f"{record.phase} {record.step / record.max_iters:.0%}" if record.max_iters else record.phase

    def _show_activities(self) -> None:
        """Say what everybody is busy with who tells nothing else."""
        self.show_status()
        self.train_pane.show_activity(self._watches["run"].words(self._run_activity()))
        if self._is_estimating:
            activity = self._estimating.activity or Activity("timing a few steps")
            self.train_pane.show_estimate(
                f"how long? {self._watches['estimate'].words(activity) or activity.name + '…'}"
            )

    @contextmanager
    def _errand(self, words: str) -> Iterator[None]:
        """Say so while something is being done on the disk."""
        self._errands.append(words)
        try:
            yield
        finally:
            self._errands.remove(words)

    # Tabs

    def action_tab(self, name: str) -> None:
        """Show a tab and put the keyboard on what matters there."""
        self.tabs.active = "runs-tab" if name == "runs" else name
        self.call_after_refresh(self._focus_tab)

    async def _focus_tab(self) -> None:
        match self.active_tab:
            case "train":
                self.train_pane.focus_main()
            case "runs":
                self.runs_pane.focus_main()
            case _:
                pane = await self._show_generate_pane()
                if self.active_tab == "generate":
                    pane.focus_prompt()

    @property
    def active_tab(self) -> str:
        """`train`, `generate` or `runs`."""
        return self.tabs.active.removesuffix("-tab")

    @on(TabbedContent.TabActivated)
    async def _tab_activated(self) -> None:
        self.refresh_bindings()
        if self.active_tab == "generate":
            await self._show_generate_pane()
        self._refresh_runs_on_screen()

    # Training

    @on(TrainPane.StartAsked)
    def _start_asked(self, event: TrainPane.StartAsked) -> None:
        self.begin_training(event.request)

    @work(exclusive=True, group="begin", exit_on_error=False)
    async def begin_training(self, request: TrainRequest) -> None:
        """Start a run, or go on with one, and show it. Its time budget begins now, unless the request says when."""
        if request.began is None:
            request = dataclasses.replace(request, began=time.monotonic())
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        self._estimating.stop()
        try:
            with self._errand("reading the text"):
                request, record, notes = await in_background(self._prepared, request)
        except TuiGptError as error:
            self._refuse(error)
            return
        for note in notes:
            self.notify(escape_controls(note), markup=False, timeout=_REFUSAL_SECONDS)
        self.record = record
        self.training = Training(self._session, request)
        self.training.start()
        self.action_tab("train")
        self.train_pane.show_run(record)
        self._training_changed()

    def _refuse(self, error: TuiGptError) -> None:
        """A run cannot start: the form says why; where a run is on screen instead, the sentence passes by."""
        if self.train_pane.record is None:
            self.train_pane.refuse(error)
            self._refused = self.train_pane.form.described
        else:
            self._say(error)

    def _say(self, error: TuiGptError) -> None:
        self.notify(escape_controls(str(error)), severity="error", markup=False, timeout=_REFUSAL_SECONDS)

    def _prepared(self, request: TrainRequest) -> tuple[TrainRequest, RunRecord, tuple[str, ...]]:
        """The request with a text that can be found again, what is known of the run so far, and notes on the text.
        Reads the disk.

        Raises TuiGptError before anything was made.
        """
        if request.resume is None:
            known = "" if request.init_from is None else source_characters(request.init_from, self._store)
            config, notes = check_texts(request.config, known)
            record = RunRecord(name=request.name or "", config=config)
            return dataclasses.replace(request, config=config), record, notes
        run = self._store.get(request.resume) if request.model_path is None else self._store.open_at(request.model_path)
        record = RunRecord.replay(run.name, run.config, run.events())
        record.phase = "loading"
        return request, record, ()

    @property
    def is_training(self) -> bool:
        """Whether a run is under way."""
        return self.training is not None

    def _tick(self) -> None:
        """Ten times a second: take in what the trainer has told."""
        self._show_activities()
        training = self.training
        if training is None:
            return
        alive = training.is_alive
        events = training.drain()
        if events:
            self._take_in(events)
        if not alive:
            self._training_over(training)

    def _take_in(self, events: list[Event]) -> None:
        record = self.record
        assert record is not None
        old_phase, old_saved = record.phase, record.saved
        record.name = self._session.run_name or record.name
        record.apply_all(events)
        self._last_events = [*self._last_events, *events][-20:]
        if old_phase == "stopping" and record.is_live:
            record.phase = "stopping"
        if self.train_pane.record is record:
            self.train_pane.refresh_run()
        if record.phase != old_phase or (old_saved is None and record.saved):
            self._training_changed()
        if any(isinstance(event, Saved) for event in events):
            self._refresh_runs_on_screen()
        for event in events:
            self._announce(event)

    def _announce(self, event: Event) -> None:
        """Say what the user must know now, and what the chart has no more than a mark for."""
        severity: SeverityLevel = "warning"
        match event:
            case ChangeRefused():
                words = f"{event.setting} stays as it is: {event.reason}"
            case ResumeDiffers():
                words = (
                    f"the first loss is {event.loss:.6f}, and was {event.expected_loss:.6f} before the interruption: "
                    "this machine or this version computes differently"
                )
            case Initialized():
                words, severity = initialized_words(event), "information"
            case _:
                return
        self.notify(escape_controls(words), severity=severity, markup=False, timeout=_REFUSAL_SECONDS)

    def _training_over(self, training: Training) -> None:
        self.training = None
        record = self.record
        assert record is not None
        if training.error is not None:
            record.phase = "failed"
            record.failure = self._sentence_of(training.error)
        elif record.is_live:
            record.phase = "replayed"
        if self._leaving is not None:
            self.leave_now(self._leaving)
        elif record.started is None and training.request.resume is None and isinstance(training.error, UsageError):
            self.train_pane.show_form(training.request.config)
            self._refuse(training.error)
        elif record.started is None and training.error is None:
            self.train_pane.show_form()
        elif self.train_pane.record is record:
            self.train_pane.refresh_run()
        self._training_changed()

    def _sentence_of(self, error: Exception) -> str:
        if isinstance(error, TuiGptError):
            return str(error)
        return crash.sentence(crash.write_report(error, self._last_events))

    def _training_changed(self) -> None:
        """Tell everyone that a run began, ended, paused or was saved."""
        self.refresh_bindings()
        self.show_status()
        self.refresh_runs()
        if self.generate_pane is not None:
            self.generate_pane.training_changed(self._session.run_name if self.is_training else None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Which keys do something now; the others are not in the footer."""
        here = self.active_tab == "train"
        shown = self.train_pane.record if here else None
        live = shown is not None and shown is self.record and self.is_training
        match action:
            case "start":
                return here and shown is None
            case "pause" | "stop":
                return live
            case "change_rate":
                return live and shown is not None and shown.phase == "paused"
            case "go_on":
                return shown is not None and not live and bool(shown.name)
            case "write":
                return shown is not None and bool(shown.name) and (not live or shown.saved is not None)
            case "new":
                return shown is not None and not live
            case "toggle_log":
                return shown is not None
            case _:
                return super().check_action(action, parameters)

    @on(TrainPane.ActionAsked)
    async def _button_asked(self, event: TrainPane.ActionAsked) -> None:
        await self.run_action(event.action)

    def action_start(self) -> None:
        """Train what the form says."""
        self.train_pane.request_start()

    def action_pause(self) -> None:
        """Pause, or go on."""
        if self.training is None or self.record is None:
            return
        if self.training.control.pause_requested:
            self.training.control.resume()
            self._set_phase("running")
        else:
            self.training.control.pause()
            self._set_phase("pausing")

    def action_stop(self) -> None:
        """Save and end the run."""
        if self.training is not None:
            self.training.control.stop()
            self._set_phase("stopping")

    def _set_phase(self, phase: Phase) -> None:
        if self.record is not None:
            self.record.phase = phase
            self.train_pane.refresh_run()
            self.refresh_bindings()
            self.show_status()

    def action_toggle_log(self) -> None:
        """Linear or logarithmic losses."""
        self.train_pane.toggle_log()

    def action_new(self) -> None:
        """Back to the form."""
        self.train_pane.show_form()
        self.refresh_bindings()

    @work(exclusive=True, group="question", exit_on_error=False)
    async def action_change_rate(self) -> None:
        """Ask for a new peak learning rate."""
        assert self.record is not None
        config, rate = self.record.config.train, self.record.learning_rate
        detail = "The new peak holds from the next step on; the schedule goes on."
        answer = await self.app.push_screen_wait(
            NumberScreen(
                "Learning rate",
                detail,
                f"{config.learning_rate if rate is None else rate:g}",
                lambda text: changed_setting(config, "learning_rate", text),
            )
        )
        if answer is not None and self.training is not None:
            self.training.control.change("learning_rate", answer)

    def action_go_on(self) -> None:
        """Resume the run on screen."""
        record = self.train_pane.record
        if record is not None:
            planned = record.max_iters or 0
            self.resume_run(record.name, record.step, planned, done=record.step >= max(1, planned))

    @work(exclusive=True, group="question", exit_on_error=False)
    async def resume_run(self, name: str, step: int, max_iters: int, *, done: bool) -> None:
        """Go on with a run; one that has made all its steps needs to know how many more."""
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        changes: dict[str, SettingValue] = {}
        if done:
            detail = f"{name} has made its {step:,} steps. Up to which step?"
            answer = await self.app.push_screen_wait(
                NumberScreen(
                    "Train on", escape_controls(detail), str(max_iters * 2), lambda text: later_step(step, text)
                )
            )
            if answer is None:
                return
            changes = {"max_iters": answer, "max_seconds": None}
        self.begin_training(TrainRequest(resume=name, changes=changes))

    async def action_write(self) -> None:
        """Write with the run on screen."""
        record = self.train_pane.record
        if record is not None:
            await self.write_with(record.name)

    async def write_with(self, source: str) -> None:
        """Open a model in the Generate tab."""
        pane = await self._show_generate_pane()
        self.tabs.active = "generate"
        pane.use_source(source)

    # The time that the form's run would take

    @on(TrainPane.EstimateWanted)
    def _estimate_wanted(self, event: TrainPane.EstimateWanted) -> None:
        self._estimating.stop()
        self.workers.cancel_group(self, "estimate")
        self._is_estimating = False
        if event.config is None:
            self.train_pane.show_estimate("")
        elif not self.is_training and event.config != self._refused:
            self._estimating = Control()
            self._estimate(event.config, self._estimating)

    @work(exclusive=True, group="estimate", exit_on_error=False)
    async def _estimate(self, config: RunConfig, control: Control) -> None:
        pane = self.train_pane
        await asyncio.sleep(_TYPING_SECONDS)
        self._is_estimating = True
        try:
            estimate = await in_background(self._session.estimate, config, control)
        except TuiGptError as error:
            if not control.stop_requested:
                pane.refuse(error)
        else:
            if not control.stop_requested:
                pane.show_estimate(estimate_words(estimate))
        finally:
            if control is self._estimating:
                self._is_estimating = False

    @on(Worker.StateChanged)
    def _worker_changed(self, event: Worker.StateChanged) -> None:
        """An unexpected error in the background is said; the app lives on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            sentence = crash.sentence(crash.write_report(event.worker.error, self._last_events))
            self.notify(sentence, severity="error", markup=False, timeout=_REFUSAL_SECONDS)

    # Runs

    def _refresh_runs_on_screen(self) -> None:
        if self.active_tab == "runs":
            self.refresh_runs()

    @work(exclusive=True, group="runs", exit_on_error=False)
    async def refresh_runs(self) -> None:
        """Read the list of runs again."""
        runs = await asyncio.to_thread(self._store.list)
        self.runs_pane.show(runs)

    def action_with_run(self, what: str) -> None:
        """Do something with the run under the cursor."""
        self.runs_pane.ask(what)

    @on(RunsPane.Asked)
    async def _run_asked(self, event: RunsPane.Asked) -> None:
        run = event.run
        match event.what:
            case "resume":
                self.resume_run(run.name, run.step, run.max_iters, done=run.state == "finished")
            case "write":
                await self.write_with(run.name)
            case "delete":
                self._delete(run)
            case _:
                self._open(run)

    @work(exclusive=True, group="question", exit_on_error=False)
    async def _delete(self, run: RunSummary) -> None:
        if self._is_under_way(run.name):
            self.notify(f"{run.name} is training: stop it first", severity="warning", markup=False)
            return
        if not await self.app.push_screen_wait(delete_question(run.name)):
            return
        try:
            with self._errand(f"deleting {run.name}"):
                await asyncio.to_thread(self._store.delete, run.name)
        except TuiGptError as error:
            self._say(error)
            return
        if self.train_pane.record is not None and self.train_pane.record.name == run.name:
            self.train_pane.show_form()
        self.refresh_runs()

    @work(exclusive=True, group="open", exit_on_error=False)
    async def _open(self, run: RunSummary) -> None:
        """Show a run's chart; the one under way is shown live."""
        if self.record is not None and self._is_under_way(run.name):
            record = self.record
        else:
            try:
                with self._errand(f"opening {run.name}"):
                    record = await asyncio.to_thread(self._replayed, run.name)
            except TuiGptError as error:
                self._say(error)
                return
        self.train_pane.show_run(record)
        self.action_tab("train")
        self.refresh_bindings()

    def _is_under_way(self, name: str) -> bool:
        """Whether this app trains the run of that name."""
        return self.is_training and self.record is not None and self.record.name == name

    def _replayed(self, name: str) -> RunRecord:
        run = self._store.get(name)
        return RunRecord.replay(name, run.config, run.events())

    # Leaving

    def action_quit(self) -> None:
        """Leave; ask first while a run is under way that has something to lose."""
        if self.training is not None and self.training.has_begun and self._leaving is None:
            self._ask_to_quit()
        else:
            self.leave(EXIT_DONE)

    @property
    def is_leaving(self) -> bool:
        """Whether the app only waits for the run to be saved."""
        return self._leaving is not None

    @work(exclusive=True, group="question", exit_on_error=False)
    async def _ask_to_quit(self) -> None:
        assert self.record is not None
        if await self.app.push_screen_wait(quit_question(self.record.step)):
            self.leave(EXIT_DONE)

    def leave(self, code: int) -> None:
        """Stop everything, wait until the run is saved, and exit. What is asked for again changes nothing."""
        if self._leaving is not None:
            return
        self._leaving = code
        self._stop_everything()
        if self.training is None:
            self.leave_now(code)
            return
        self.action_stop()
        if not self.training.has_begun:
            self.set_timer(_PREPARING_PATIENCE_SECONDS, lambda: self.leave_now(code))

    def _stop_everything(self) -> None:
        """Ask everybody who is at work to stop, but the run under way."""
        self.waker.leave()
        self._estimating.stop()
        if self.generate_pane is not None:
            self.generate_pane.stop()

    def abandon(self, code: int) -> None:
        """Exit now, after a bug; the run under way is asked to stop, and whoever closes the app waits for it."""
        self._stop_everything()
        if self.training is not None:
            self.training.control.stop()
        self.leave_now(code)

    def leave_now(self, code: int) -> None:
        """Exit without waiting for anything."""
        if self._ticker is not None:
            self._ticker.stop()
        self.app.exit(return_code=code, message=None if self.state.save() else unsaved_state())

    def save_state(self) -> None:
        """Save what the app remembers; a disk that refuses is said once, and again after it has taken it."""
        saved = self.state.save()
        if self._state_saved and not saved:
            self.notify(unsaved_state(), severity="warning", markup=False, timeout=_REFUSAL_SECONDS)
        self._state_saved = saved

    def was_suspended(self, seconds: float) -> None:
        """The process slept for that time; it does not count as the run's."""
        if self.training is not None:
            self.training.control.leave_out(seconds)

    # Help

    def action_help(self) -> None:
        """The keys, and what the signs mean."""
        self.app.push_screen(HelpScreen(self.active_tab))

    def commands(self) -> Iterable[SystemCommand]:
        """What the command palette offers."""
        for action, title, help_text in (
            ("start", "Start training", "Train what the form says"),
            ("pause", "Pause or go on", "The run waits between two steps"),
            ("stop", "Stop training", "Save and end the run"),
            ("go_on", "Go on with this run", "Resume at its last checkpoint"),
            ("new", "New run", "Back to the form"),
            ("write", "Write with this run", "Open it in the Generate tab"),
            ("toggle_log", "Logarithmic loss axis", "Or linear again"),
        ):
            if self.check_action(action, ()):
                yield SystemCommand(title, help_text, getattr(self, f"action_{action}"))
        for name, preset in PRESETS.items():
            yield SystemCommand(f"Preset {name}", preset.summary, lambda name=name: self._choose_preset(name))
        for name in ("train", "generate", "runs"):
            yield SystemCommand(f"Go to {name}", "Show that tab", lambda name=name: self.action_tab(name))

    def _choose_preset(self, name: str) -> None:
        """Fill the form with a preset, unless a run is on screen that is under way."""
        self.action_tab("train")
        if not self.is_training:
            self.train_pane.show_form()
            self.train_pane.form.choose_preset(name)
            self.refresh_bindings()
