"""The app: three tabs over one session, and the one place where what the user asks for becomes a thread, a file or an exit.

It is on screen before torch is imported. Widgets post what happened, this module decides; the trainer runs in a thread of
its own (`feed.Training`) and its events are drawn ten times a second. It holds no arithmetic and draws nothing itself.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer
from textual.widgets import Footer, Static, TabbedContent, TabPane

from tui_gpt import crash, paths
from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, ConfigError, CorpusError, TuiGptError
from tui_gpt.events import Event, Saved
from tui_gpt.inert import inert
from tui_gpt.runs import RunStore, RunSummary
from tui_gpt.session import Session, SessionLike, TrainRequest
from tui_gpt.tui.feed import Training
from tui_gpt.tui.messages import TrainingRequested
from tui_gpt.tui.record import Phase, RunRecord
from tui_gpt.tui.state import DEFAULT_THEME, AppState
from tui_gpt.tui.waking import Waker, WakingSession, waking_sentence
from tui_gpt.tui.widgets.dialogs import HelpScreen, NumberScreen, delete_question, quit_question
from tui_gpt.tui.widgets.runs_pane import RunsPane
from tui_gpt.tui.widgets.train_pane import TrainPane, estimate_words

if TYPE_CHECKING:
    from tui_gpt.tui.widgets.generate_pane import GeneratePane

DRAW_SECONDS = 0.1
_RUNS_SECONDS = 5.0
_TYPING_SECONDS = 0.4
"""How long the form must rest before its run is timed."""
_PREPARING_PATIENCE_SECONDS = 2.0
"""How long quitting waits for a run that has not made a step: there is nothing of it to lose."""


class TuiGptApp(App[None]):
    """Train, write, and look at old runs."""

    TITLE = "tui-gpt"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-tall")]
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
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self, request: TrainRequest | None = None, *, session: SessionLike | None = None, store: RunStore | None = None
    ) -> None:
        super().__init__()
        self.state = AppState.load()
        self.training: Training | None = None
        self.record: RunRecord | None = None
        """Of the run under way, or the last one."""
        self._request = request
        self._store = store or RunStore()
        real = session or Session(self._store)
        self.waker = Waker(real)
        self._session = WakingSession(real, self.waker)
        self._estimating = Control()
        self._leaving: int | None = None
        self._ticker: Timer | None = None
        self._last_events: list[Event] = []

    # What is on screen

    def compose(self) -> ComposeResult:
        """A line at the top, three tabs, the keys at the bottom."""
        with Horizontal(id="top"):
            yield Static("tui-gpt", id="title")
            yield Static("", id="top-status", markup=False)
        with TabbedContent(initial="train"):
            with TabPane("Train", id="train"):
                yield TrainPane(self.state, self._first_config())
            with TabPane("Generate", id="generate"):
                yield Static("", id="generate-placeholder")
            with TabPane("Runs", id="runs-tab"):
                yield RunsPane()
        yield Footer()

    def _first_config(self) -> RunConfig:
        """The run to offer: what the user trained last, unless the settings file or the environment says otherwise."""
        from tui_gpt import settings

        try:
            if any(level for _, level in settings.standing_levels("train")):
                return settings.preferred_run_config()
            return resolve(self.state.preset, self.state.corpus)
        except ConfigError as error:
            self.call_after_refresh(self.notify, str(error), severity="warning", markup=False)
            return RunConfig()

    def on_mount(self) -> None:
        """Colours, signals; everything slow comes after the first picture."""
        self.theme = self._usable_theme(self.state.theme)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self._catch_signals()
        self._ticker = self.set_interval(DRAW_SECONDS, self._tick)
        self.call_after_refresh(self._begin)

    def _usable_theme(self, name: str) -> str:
        """`name`, unless there is none such, or it would be black on black: ANSI colours without colour."""
        unusable = name not in self.available_themes or (self.no_color and "ansi" in name)
        return DEFAULT_THEME if unusable else name

    def _remember_theme(self, theme: Theme) -> None:
        self.state.theme = theme.name
        self.state.save()

    async def _begin(self) -> None:
        """What the first picture did not have to wait for."""
        self.waker.start()
        self.show_status()
        await self._mount_generate_pane()
        self.refresh_runs()
        self.set_interval(_RUNS_SECONDS, self._refresh_runs_on_screen)
        if self._request is not None:
            self.begin_training(self._request)

    async def _mount_generate_pane(self) -> None:
        try:
            from tui_gpt.tui.widgets.generate_pane import GeneratePane
        except ImportError:
            return

        await self.query_one("#generate-placeholder").remove()
        await self.query_one("#generate", TabPane).mount(GeneratePane(self._session, self.state))

    @property
    def train_pane(self) -> TrainPane:
        """The Train tab's content."""
        return self.query_one(TrainPane)

    @property
    def runs_pane(self) -> RunsPane:
        """The Runs tab's content."""
        return self.query_one(RunsPane)

    def show_status(self) -> None:
        """The right end of the top line: what goes on behind any tab."""
        words = ""
        if self._leaving is not None:
            words = "saving…"
        elif self.waker.error is not None:
            words = "no PyTorch"
        elif not self.waker.is_done:
            words = "waking PyTorch…"
        elif self.record is not None and self.record.is_live:
            share = f" {self.record.step / self.record.max_iters:.0%}" if self.record.max_iters else ""
            words = f"{self.record.phase}{share}"
        self.query_one("#top-status", Static).update(words)

    # Tabs

    def action_tab(self, name: str) -> None:
        """Show a tab and put the keyboard on what matters there."""
        tabs = self.query_one(TabbedContent)
        tabs.active = "runs-tab" if name == "runs" else name
        self.call_after_refresh(self._focus_tab)

    def _focus_tab(self) -> None:
        match self.active_tab:
            case "train":
                self.train_pane.focus_main()
            case "runs":
                self.runs_pane.focus_main()
            case _:
                for pane in self._generate_panes():
                    pane.focus_prompt()

    @property
    def active_tab(self) -> str:
        """`train`, `generate` or `runs`."""
        return self.query_one(TabbedContent).active.removesuffix("-tab")

    @on(TabbedContent.TabActivated)
    def _tab_activated(self) -> None:
        self.refresh_bindings()
        self._refresh_runs_on_screen()

    # Training

    @on(TrainingRequested)
    def _training_requested(self, event: TrainingRequested) -> None:
        self.begin_training(event.request)

    @work(exclusive=True, group="begin", exit_on_error=False)
    async def begin_training(self, request: TrainRequest) -> None:
        """Start a run, or go on with one, and show it."""
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        self._estimating.stop()
        try:
            record = await asyncio.to_thread(self._record_for, request)
        except TuiGptError as error:
            self.notify(inert(str(error)), severity="error", markup=False, timeout=10)
            return
        self.record = record
        self.training = Training(self._session, request)
        self.training.start()
        self.action_tab("train")
        self.train_pane.show_run(record)
        self._training_changed()

    def _record_for(self, request: TrainRequest) -> RunRecord:
        """An empty record, or what the run to go on with has logged so far. Reads the disk."""
        if request.resume is None:
            return RunRecord(name=request.name or "", config=request.config)
        run = self._store.get(request.resume) if request.model_path is None else self._store.at(request.model_path)
        record = RunRecord.replay(run.name, run.config, run.events())
        record.phase = "loading"
        return record

    @property
    def is_training(self) -> bool:
        """Whether a run is under way."""
        return self.training is not None

    def _tick(self) -> None:
        """Ten times a second: take in what the trainer has told."""
        self.show_status()
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
            self._exit_now(self._leaving)
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
        for pane in self._generate_panes():
            pane.training_changed(self._session.run_name if self.is_training else None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Which keys do something now; the others are not in the footer."""
        here = bool(self.query(TrainPane)) and self.active_tab == "train"
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

    @work(exclusive=True, group="question")
    async def action_change_rate(self) -> None:
        """Ask for a new peak learning rate."""
        assert self.record is not None
        now = self.record.config.train.learning_rate
        answer = await self.push_screen_wait(
            NumberScreen("Learning rate", "The new peak holds from the next step on; the schedule goes on.", f"{now:g}")
        )
        if answer is None or self.training is None:
            return
        with suppress(ValueError):
            self.training.control.change("learning_rate", float(answer))

    def action_go_on(self) -> None:
        """Resume the run on screen."""
        record = self.train_pane.record
        if record is not None:
            self.resume_run(record.name, record.step, record.max_iters or 0, done=record.step >= (record.max_iters or 1))

    @work(exclusive=True, group="question")
    async def resume_run(self, name: str, step: int, max_iters: int, *, done: bool) -> None:
        """Go on with a run; one that has made all its steps needs to know how many more."""
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        changes: dict[str, int | float | str | bool | None] = {}
        if done:
            answer = await self.push_screen_wait(
                NumberScreen("Train on", f"{name} has made its {step:,} steps. Up to which step?", str(max_iters * 2))
            )
            try:
                changes["max_iters"] = int((answer or "").replace(",", "").replace("_", ""))
            except ValueError:
                return
        self.begin_training(TrainRequest(resume=name, changes=changes))

    def action_write(self) -> None:
        """Write with the run on screen."""
        record = self.train_pane.record
        if record is not None:
            self.write_with(record.name)

    def write_with(self, source: str) -> None:
        """Open a model in the Generate tab."""
        self.action_tab("generate")
        for pane in self._generate_panes():
            pane.use_source(source)

    # The time that the form's run would take

    @on(TrainPane.EstimateWanted)
    def _estimate_wanted(self, event: TrainPane.EstimateWanted) -> None:
        self._estimating.stop()
        if event.config is None:
            self.train_pane.show_estimate("")
        elif not self.is_training:
            self._estimating = Control()
            self._estimate(event.config, self._estimating)

    @work(exclusive=True, group="estimate", exit_on_error=False)
    async def _estimate(self, config: RunConfig, control: Control) -> None:
        pane = self.train_pane
        await asyncio.sleep(_TYPING_SECONDS)
        pane.show_estimate("how long? timing a few steps…" if self.waker.is_done else "waking PyTorch…")
        try:
            estimate = await asyncio.to_thread(self._session.estimate, config, control)
        except CorpusError as error:
            pane.form.show_sentence("corpus", inert(str(error)))
            pane.show_estimate("")
        except TuiGptError as error:
            pane.show_estimate(inert(str(error)))
        else:
            if not control.stop_requested:
                pane.show_estimate(estimate_words(estimate))

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
    def _run_asked(self, event: RunsPane.Asked) -> None:
        run = event.run
        match event.what:
            case "resume":
                self.resume_run(run.name, run.step, run.max_iters, done=run.state == "finished")
            case "write":
                self.write_with(run.name)
            case "delete":
                self._delete(run)
            case _:
                self._open(run)

    @work(exclusive=True, group="question", exit_on_error=False)
    async def _delete(self, run: RunSummary) -> None:
        if not await self.push_screen_wait(delete_question(run.name)):
            return
        try:
            await asyncio.to_thread(self._store.delete, run.name)
        except TuiGptError as error:
            self.notify(inert(str(error)), severity="error", markup=False)
        if self.train_pane.record is not None and self.train_pane.record.name == run.name:
            self.train_pane.show_form()
        self.refresh_runs()

    @work(exclusive=True, group="open", exit_on_error=False)
    async def _open(self, run: RunSummary) -> None:
        """Show a run's chart; the one under way is shown live."""
        if self.record is not None and self.is_training and run.name == self.record.name:
            record = self.record
        else:
            try:
                record = await asyncio.to_thread(self._replayed, run.name)
            except TuiGptError as error:
                self.notify(inert(str(error)), severity="error", markup=False)
                return
        self.train_pane.show_run(record)
        self.action_tab("train")
        self.refresh_bindings()

    def _replayed(self, name: str) -> RunRecord:
        run = self._store.get(name)
        return RunRecord.replay(name, run.config, run.events())

    # Leaving

    async def action_quit(self) -> None:
        """Leave; ask first while a run is under way."""
        if self.is_training and self._leaving is None:
            self._ask_to_quit()
        else:
            self.leave(EXIT_DONE)

    @work(exclusive=True, group="question")
    async def _ask_to_quit(self) -> None:
        assert self.record is not None
        if await self.push_screen_wait(quit_question(self.record.step)):
            self.leave(EXIT_DONE)

    def leave(self, code: int) -> None:
        """Stop everything, wait until the run is saved, and exit. What is asked for again changes nothing."""
        if self._leaving is not None:
            return
        self._leaving = code
        self.waker.leave()
        self._estimating.stop()
        for pane in self._generate_panes():
            pane.stop()
        if self.training is None:
            self._exit_now(code)
            return
        self.action_stop()
        if self.record is None or self.record.started is None:
            self.set_timer(_PREPARING_PATIENCE_SECONDS, lambda: self._exit_now(code))

    def _exit_now(self, code: int) -> None:
        self.state.save()
        self.exit(return_code=code)

    def _catch_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP save and leave; a second one leaves at once."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        if self._leaving is None:
            self.leave(128 + number)
        else:
            self._exit_now(128 + number)

    def _generate_panes(self) -> Iterator["GeneratePane"]:
        """The Generate tab's content, once it is there."""
        try:
            from tui_gpt.tui.widgets.generate_pane import GeneratePane
        except ImportError:
            return

        yield from self.query(GeneratePane)

    # Help

    def action_help(self) -> None:
        """The keys, and what the signs mean."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette."""
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
        yield from super().get_system_commands(screen)

    def _choose_preset(self, name: str) -> None:
        """Fill the form with a preset, unless a run is on screen that is under way."""
        self.action_tab("train")
        if not self.is_training:
            self.train_pane.show_form()
            self.train_pane.form.choose_preset(name)
            self.refresh_bindings()


@contextmanager
def _native_noise_in_a_file() -> Iterator[None]:
    """What native libraries print goes to a log; the screen itself is written to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        try:
            paths.logs_dir().mkdir(parents=True, exist_ok=True)
            log = os.open(paths.logs_dir() / "native.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError:
            log = os.open(os.devnull, os.O_WRONLY)
        os.dup2(log, 1)
        os.close(log)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def run_app(
    request: TrainRequest | None = None, *, session: SessionLike | None = None, store: RunStore | None = None
) -> int:
    """Run the app until the user leaves; the exit code. With a request, that run starts at once."""
    app = TuiGptApp(request, session=session, store=store)
    with _native_noise_in_a_file():
        app.run()
    code = app.return_code
    if app.waker.is_busy or app.is_training:
        sys.stderr.flush()
        os._exit(EXIT_FAILED if code is None else code)  # a thread in the middle of an import cannot be ended otherwise
    return EXIT_FAILED if code is None else code
