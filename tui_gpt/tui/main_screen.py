"""Three tabs over one session: the one place where what the user asks for becomes a thread, a file or an exit.

Widgets post what happened, this screen decides; the trainer runs in a thread of its own (`feed.Training`), its events
are drawn ten times a second. It holds no arithmetic and draws nothing.
"""

import asyncio
import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static, TabbedContent, TabPane
from textual.worker import Worker, WorkerState

from tui_gpt import crash
from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.corpora import read_corpus
from tui_gpt.errors import EXIT_DONE, ConfigError, CorpusError, TuiGptError
from tui_gpt.events import Event, Saved
from tui_gpt.inert import inert
from tui_gpt.runs import RunStore, RunSummary
from tui_gpt.session import SessionLike, TrainRequest
from tui_gpt.tui.feed import Training
from tui_gpt.tui.priority import in_a_passing_thread
from tui_gpt.tui.record import Phase, RunRecord
from tui_gpt.tui.state import AppState
from tui_gpt.tui.waking import Waker, WakingSession
from tui_gpt.tui.widgets.dialogs import NumberScreen, delete_question, quit_question
from tui_gpt.tui.widgets.help_screen import HelpScreen
from tui_gpt.tui.widgets.key_footer import KeyFooter
from tui_gpt.tui.widgets.runs_pane import RunsPane
from tui_gpt.tui.widgets.train_pane import TrainPane, estimate_words

if TYPE_CHECKING:
    from tui_gpt.tui.widgets.generate_pane import GeneratePane

DRAW_SECONDS = 0.1
_RUNS_SECONDS = 5.0
_TYPING_SECONDS = 0.4
"""How long the form must rest before its run is timed."""
_REFUSAL_SECONDS = 10.0
_PREPARING_PATIENCE_SECONDS = 2.0
"""How long quitting waits for a run that has not made a step: there is nothing of it to lose."""


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
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-tall")]  # noqa: RUF012  # the same
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
        self.waker = Waker(session)
        self._session = WakingSession(session, self.waker)
        self._estimating = Control()
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
        from tui_gpt import settings

        try:
            if any(level for _, level in settings.standing_levels("train")):
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
            self.notify(inert(self._complaint), severity="warning", markup=False, timeout=_REFUSAL_SECONDS)
        if self._request is not None:
            self.begin_training(self._request)

    async def _show_generate_pane(self) -> "GeneratePane":
        """The Generate tab's content, made now if it is needed for the first time."""
        async with self._making_pane:
            if self.generate_pane is None:
                from tui_gpt.tui.widgets.generate_pane import GeneratePane

                pane = GeneratePane(self._session, self.state, store=self._store)
                await self.query_one("#generate", TabPane).mount(pane)
                self.generate_pane = pane
                if self.is_training:
                    pane.training_changed(self._session.run_name)
        return self.generate_pane

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
        if words != self._status_shown:
            self._status_shown = words
            self.query_one("#top-status", Static).update(words)

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
        """Start a run, or go on with one, and show it."""
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        self._estimating.stop()
        try:
            request, record = await asyncio.to_thread(self._prepared, request)
        except TuiGptError as error:
            self._refuse(error)
            return
        self.record = record
        self.training = Training(self._session, request)
        self.training.start()
        self.action_tab("train")
        self.train_pane.show_run(record)
        self._training_changed()

    def _refuse(self, error: TuiGptError) -> None:
        """A run cannot start: the sentence stands at the text it is about, or passes by."""
        if isinstance(error, CorpusError) and self.train_pane.record is None:
            self.train_pane.form.show_sentence("corpus", inert(str(error)))
        else:
            self.notify(inert(str(error)), severity="error", markup=False, timeout=_REFUSAL_SECONDS)

    def _prepared(self, request: TrainRequest) -> tuple[TrainRequest, RunRecord]:
        """The request with a text that can be found again, and what is known of the run so far. Reads the disk.

        Raises TuiGptError before anything was made.
        """
        if request.resume is None:
            source = read_corpus(request.config.corpus).source
            config = dataclasses.replace(request.config, corpus=source)
            return dataclasses.replace(request, config=config), RunRecord(name=request.name or "", config=config)
        run = self._store.get(request.resume) if request.model_path is None else self._store.open_at(request.model_path)
        record = RunRecord.replay(run.name, run.config, run.events())
        record.phase = "loading"
        return request, record

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
            self.leave_now(self._leaving)
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
        now = self.record.config.train.learning_rate
        answer = await self.app.push_screen_wait(
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
            planned = record.max_iters or 0
            self.resume_run(record.name, record.step, planned, done=record.step >= max(1, planned))

    @work(exclusive=True, group="question", exit_on_error=False)
    async def resume_run(self, name: str, step: int, max_iters: int, *, done: bool) -> None:
        """Go on with a run; one that has made all its steps needs to know how many more."""
        if self.is_training:
            self.notify("a run is training already: stop it first", severity="warning")
            return
        changes: dict[str, int | float | str | bool | None] = {}
        if done:
            answer = await self.app.push_screen_wait(
                NumberScreen("Train on", f"{name} has made its {step:,} steps. Up to which step?", str(max_iters * 2))
            )
            try:
                changes["max_seconds"] = None
                changes["max_iters"] = int((answer or "").replace(",", "").replace("_", ""))
            except ValueError:
                return
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
            estimate = await in_a_passing_thread(self._session.estimate, config, control)
        except CorpusError as error:
            pane.form.show_sentence("corpus", inert(str(error)))
            pane.show_estimate("")
        except TuiGptError as error:
            pane.show_estimate(inert(str(error)))
        else:
            if not control.stop_requested:
                pane.show_estimate(estimate_words(estimate))

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
        if not await self.app.push_screen_wait(delete_question(run.name)):
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

    def action_quit(self) -> None:
        """Leave; ask first while a run is under way."""
        if self.is_training and self._leaving is None:
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
        if self.record is None or self.record.started is None:
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
        self.state.save()
        self.app.exit(return_code=code)

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
