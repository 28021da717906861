"""The runs of this app without its widgets: start, pause, continue, stop, follow, replay and restore them.

The run in progress has its own thread (`feed.Training`); `poll` takes its events. A run of another process may be
followed at the same time (`attachment`). What reads or writes the disk is for a thread, the rest for the event loop.
"""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tui_gpt.control import Activity, Control
from tui_gpt.errors import TuiGptError, UsageError
from tui_gpt.events import Event, SettingValue
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike, source_characters
from tui_gpt.storage import crash
from tui_gpt.storage.runs import RunStore, Trash
from tui_gpt.text.check import check_texts, require_files
from tui_gpt.tui.torch_loader import LOADING, DeferredSession, TorchLoader
from tui_gpt.tui.train.activity import run_activity
from tui_gpt.tui.train.attachment import Attachment
from tui_gpt.tui.train.feed import Ending, RunUpdate, Training
from tui_gpt.tui.train.record import RunView

_EVENTS_IN_REPORT = 20


@dataclass(frozen=True)
class PreparedRun:
    """A run that can be started."""

    request: TrainRequest
    record: RunView
    notes: tuple[str, ...] = ()
    """Remarks on its text."""


class RunControl:
    """The run in progress, a run of another process that is followed, and the runs on disk."""

    def __init__(self, session: SessionLike, store: RunStore) -> None:
        self.loader = TorchLoader(session)
        self.session: SessionLike = DeferredSession(session, self.loader)
        self.store = store
        self.trash = Trash(store)
        """Runs that were deleted in this app and can be restored."""
        self.training: Training | None = None
        self.record: RunView | None = None
        """The run in progress, or the last one."""
        self.attachment: Attachment | None = None
        """The run of another process that is followed."""
        self.last_events: list[Event] = []
        """For crash reports."""
        self._tasks: list[str] = []
        """Names of the disk operations in progress."""

    @property
    def is_training(self) -> bool:
        """Whether a run is in progress."""
        return self.training is not None

    @property
    def has_begun(self) -> bool:
        """Whether the run in progress has made a step, which would be lost without saving."""
        return self.training is not None and self.training.has_begun

    @property
    def training_name(self) -> str | None:
        """The name of the run in progress."""
        return self.session.run_name if self.is_training else None

    def is_live(self, record: RunView | None) -> bool:
        """Return whether a record is that of the run in progress, or of the run that is followed."""
        return self._control_of(record) is not None

    def _control_of(self, record: RunView | None) -> Control | None:
        """Return the control of a run that is in progress or followed."""
        if self.training is not None and record is not None and record is self.record:
            return self.training.control
        if self.attachment is not None and record is self.attachment.record:
            return self.attachment.control
        return None

    @property
    def live_record(self) -> RunView | None:
        """The run in progress, else the one that is followed."""
        if self.is_training or self.attachment is None:
            return self.record
        return self.attachment.record

    def is_training_run(self, name: str) -> bool:
        """Return whether the run of that name is in progress in this app."""
        return self.is_training and self.record is not None and self.record.name == name

    # Starting

    def prepare(self, request: TrainRequest) -> PreparedRun:
        """Check a request and find its text, or its past. Reads the disk. Raises TuiGptError before any run is created.

        The time budget begins now, unless the request contains its beginning.
        """
        if request.began is None:
            request = dataclasses.replace(request, began=time.monotonic())
        if request.resume is None:
            require_files(request.config)
            known = "" if request.init_from is None else source_characters(request.init_from, self.store)
            config, notes = check_texts(request.config, known)
            record = RunView(name=request.name or "", config=config)
            return PreparedRun(dataclasses.replace(request, config=config), record, notes)
        path = request.model_path
        run = self.store.get(request.resume) if path is None else self.store.open_at(path)
        record = RunView.replay(run.name, run.config, run.events())
        record.phase = "loading"
        return PreparedRun(request, record)

    def start(self, run: PreparedRun) -> None:
        """Start a run in its own thread."""
        self.record = run.record
        self.training = Training(self.session, run.request)
        self.training.start()

    # The run in progress

    def poll(self) -> RunUpdate | None:
        """Apply the events since the last call to the record; None if nothing happened."""
        training, record = self.training, self.record
        if training is None or record is None:
            return None
        is_alive = training.is_alive  # checked first: later events are taken next time
        events = training.drain()
        before = record.phase, record.saved is None
        self._apply(events, record)
        ending = None if is_alive else self._end(training, record)
        if not events and ending is None:
            return None
        return RunUpdate(
            record,
            events,
            is_changed=before != (record.phase, record.saved is None),
            ending=ending,
            error=training.error,
        )

    def _apply(self, events: Sequence[Event], record: RunView) -> None:
        is_stopping = record.phase == "stopping"
        record.name = self.session.run_name or record.name
        record.apply_all(events)
        self.last_events = [*self.last_events, *events][-_EVENTS_IN_REPORT:]
        if is_stopping and record.is_live:
            record.phase = "stopping"

    def _end(self, training: Training, record: RunView) -> Ending:
        self.training = None
        if training.error is not None:
            record.phase = "failed"
            record.failure = self.sentence_of(training.error)
        elif record.is_live:
            record.phase = "replayed"
        if record.started is None and training.request.resume is None and isinstance(training.error, UsageError):
            return "refused"
        return "cancelled" if record.started is None and training.error is None else "ended"

    def sentence_of(self, error: BaseException) -> str:
        """Return an error as a sentence; an unexpected one leaves a crash report, which the sentence names."""
        if isinstance(error, TuiGptError):
            return str(error)
        return crash.sentence(crash.write_report(error, self.last_events))

    def toggle_pause(self, record: RunView | None = None) -> None:
        """Pause, or continue: the run of a record, by default the one in progress."""
        record = record or self.record
        control = self._control_of(record)
        if record is None or control is None:
            return
        if control.pause_requested:
            control.resume()
            record.phase = "running"
        else:
            control.pause()
            record.phase = "pausing"

    def stop(self, record: RunView | None = None) -> None:
        """Ask a run to save and end, by default the one in progress."""
        record = record or self.record
        control = self._control_of(record)
        if record is not None and control is not None:
            control.stop()
            record.phase = "stopping"

    def change_learning_rate(self, value: SettingValue, record: RunView | None = None) -> None:
        """Change the peak learning rate from the next step on."""
        control = self._control_of(record or self.record)
        if control is not None:
            control.change("learning_rate", value)

    def exclude_seconds(self, seconds: float) -> None:
        """Do not count this time, in which the process was suspended, as the run's."""
        if self.training is not None:
            self.training.control.exclude_seconds(seconds)

    # A run of another process

    def open(self, name: str) -> RunView:
        """Return the record of a run to be shown, for `follow`.

        Reads the disk. Raises TuiGptError.
        """
        if self.is_training_run(name):
            return self.replay(name)
        run = self.store.get(name)
        writer = run.writer()
        return self.replay(name) if writer is None else RunView(name=name, config=run.config, writer=writer)

    def follow(self, record: RunView) -> RunView:
        """Follow the run of a record if another process trains it, instead of the one followed before.

        Return the record that is kept up to date, which is that of the run followed before if it is the same one.
        """
        if not record.writer:
            return record
        if self.attachment is not None and self.attachment.record.name == record.name:
            return self.attachment.record
        self.detach()
        self.attachment = Attachment(self.session, record)
        return record

    def poll_attached(self) -> RunUpdate | None:
        """Apply what the followed run has logged since the last call; None if nothing happened."""
        update = self.attachment.poll(self.sentence_of) if self.attachment is not None else None
        if update is not None and update.ending is not None:
            self.attachment = None
        return update

    def detach(self) -> None:
        """Leave the run of another process alone."""
        if self.attachment is not None:
            self.attachment.detach()
            self.attachment = None

    # What there is to wait for

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Name a disk operation while the block lasts."""
        self._tasks.append(name)
        try:
            yield
        finally:
            self._tasks.remove(name)

    def run_activity(self, record: RunView | None = None) -> Activity | None:
        """Return what a run is busy with, by default the one in progress."""
        if self.attachment is not None and record is self.attachment.record:
            return self.attachment.activity
        if self.training is None or self.record is None:
            return None
        return run_activity(self.training.control.activity, self.record.phase, self.record.step)

    def activity(self) -> Activity | None:
        """Return the most important thing to wait for."""
        activity = self.run_activity(self.live_record)
        if activity is None and self._tasks:
            return Activity(self._tasks[-1])
        return Activity(LOADING) if activity is None and not self.loader.is_done else activity

    # Runs on disk

    def replay(self, name: str) -> RunView:
        """Return the record of a run: the live one if it is in progress. Reads the disk. Raises TuiGptError."""
        if self.record is not None and self.is_training_run(name):
            return self.record
        run = self.store.get(name)
        return RunView.replay(name, run.config, run.events())
