"""The side of a process that follows and controls a run of another one."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from tui_gpt.control import Control
from tui_gpt.errors import NotTrainingError, RequestRefusedError, RunDiedError, StorageError
from tui_gpt.events import Event, RequestRefused
from tui_gpt.progress import state_after
from tui_gpt.storage.locks import SILENT_SECONDS
from tui_gpt.storage.runs.live.follow import LogFollower
from tui_gpt.storage.runs.live.requests import FOLDER, RunRequest, SentRequest
from tui_gpt.storage.runs.run import Run

READING_LOG = "reading the log"
"""The activity of `attach` until it has yielded what was in the log when it began."""
ANSWER_SECONDS = 10.0
"""How long to wait for an answer; a process answers in a tenth of a second, or in a few under a heavy load."""
_POLL_SECONDS = 0.05
_LOCK_SECONDS = 0.5
"""Time between two looks at the lock."""


def attach(run: Run, control: Control) -> Iterator[Event]:
    """Yield the events of a run that another process trains, from the first one on, until the run ends.

    What `control` is asked for is requested from that process; a request that is refused or not answered is reported as
    an event. `control.detach` ends the iteration and leaves the run alone.

    Raises NotTrainingError if no process trains the run, RunDiedError if the process fails or is killed.
    """
    watch, log, relay = WriterWatch(run), LogFollower(run.log), Relay(run, control)
    control.report(READING_LOG)
    try:
        while not control.detach_requested:
            is_written = watch.is_written()  # asked first: what was written before the end is read below
            for event in log.read():
                relay.note(event)
                watch.note(event)
                yield event
            if not is_written:
                relay.close()
                _require_end(run, watch.writer)
                return
            watch.report(control)
            yield from relay.exchange()
            control.wait_for_detach(_POLL_SECONDS)
    finally:
        control.report_idle()


def _require_end(run: Run, writer: str) -> None:
    """Raise RunDiedError unless a run whose process is gone has ended."""
    state = run.state
    if state == "failed":
        raise RunDiedError(f"the run {run.name!r} failed in {writer}, where the error is shown: {_resume(run)}")
    if state not in ("finished", "stopped"):
        raise RunDiedError(f"{writer} died while it trained the run {run.name!r}: {_resume(run)}")


def _resume(run: Run) -> str:
    return f"resume it from its last checkpoint with `tui-gpt train --headless --resume {run.name}`"


class WriterWatch:
    """Watches the process that trains a run."""

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        """Raise NotTrainingError if there is none."""
        self.writer = require_writer(run)
        """E.g. `process 1234`."""
        self._run = run
        self._clock = clock
        self._looked_at = clock()
        self._is_ending = False

    def note(self, event: Event) -> None:
        """Look at the lock more often once the run has ended."""
        self._is_ending = state_after(event) in ("finished", "stopped")

    def is_written(self) -> bool:
        """Return whether the run had a writer when that was looked at last, half a second ago at most."""
        now = self._clock()
        if not self._is_ending and now - self._looked_at < _LOCK_SECONDS:
            return True
        self._looked_at = now
        return self._run.is_written()

    def report(self, control: Control) -> None:
        """Report to `control` that the writer gives no sign of life, or nothing."""
        if self._run.silent_seconds() > SILENT_SECONDS:
            control.report(f"{self.writer} does not respond")
        else:
            control.report_idle()


class Relay:
    """Sends what a `Control` is asked for to the process that trains a run, one request at a time."""

    def __init__(self, run: Run, control: Control, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._control = control
        self._clock = clock
        self._step = 0
        self._is_paused = False
        """Whether the other process is paused, or was asked to."""
        self._is_pause_awaited = False
        """Whether it was asked to pause or to continue, and no event has shown yet that it has."""
        self._is_stop_sent = False
        self._request = RunRequest(action="save")
        self._sent: SentRequest | None = None
        """The request that waits for an answer, which is `_request`."""
        self._sent_at = 0.0

    def note(self, event: Event) -> None:
        """Learn from an event of the run whether it is paused, unless a request is about to change that."""
        self._step = event.step
        state = state_after(event)
        if state is None:
            return
        if self._is_pause_awaited:
            self._is_pause_awaited = (state == "paused") != self._is_paused
            return
        is_in_sync = self._control.pause_requested == self._is_paused
        self._is_paused = state == "paused"
        if is_in_sync:
            self._set_pause(self._is_paused)

    def _set_pause(self, is_paused: bool) -> None:
        if is_paused:
            self._control.pause()
        else:
            self._control.resume()

    def exchange(self) -> Iterator[Event]:
        """Send the next request, or look for the answer to the last one; yield an event if it had no effect."""
        try:
            if self._sent is None:
                self._send()
                return
            problem = self._outcome(self._sent)
        except StorageError as error:
            problem = str(error)
        if problem is None:
            return
        self._sent = None
        if problem:
            self._undo()
            yield RequestRefused(step=self._step, request=self._request.action, reason=problem)

    def _send(self) -> None:
        request = self._next_request()
        if request is not None:
            self._request, self._sent_at = request, self._clock()
            self._sent = SentRequest(self._run.path, request)

    def _next_request(self) -> RunRequest | None:
        control = self._control
        if control.stop_requested:
            if self._is_stop_sent:
                return None
            self._is_stop_sent = True
            return RunRequest(action="stop")
        if control.pause_requested != self._is_paused:
            self._is_paused, self._is_pause_awaited = control.pause_requested, True
            return RunRequest(action="pause" if self._is_paused else "resume")
        if control.take_save_request():
            return RunRequest(action="save")
        changes = control.take_changes()
        return RunRequest(action="change", changes=changes) if changes else None

    def _outcome(self, sent: SentRequest) -> str | None:
        """Return why a request had no effect, "" when it was accepted, and None while that is open."""
        answer = sent.answer()
        if answer is not None:
            return answer.problem
        is_late = self._clock() - self._sent_at >= ANSWER_SECONDS
        return _give_up(self._run, sent) if is_late else None

    def close(self) -> None:
        """Remove the files of a request that no process is left to obey, or whose answer was not taken."""
        if self._sent is not None:
            self._sent.discard()
        with suppress(OSError):
            (self._run.path / FOLDER).rmdir()

    def _undo(self) -> None:
        """Have `control` show that the request had no effect, so that it can be repeated."""
        if self._request.action == "stop":
            self._is_stop_sent = False
            self._control.forget_stop()
            self._set_pause(self._is_paused)
        elif self._request.action in ("pause", "resume"):
            self._is_paused, self._is_pause_awaited = not self._is_paused, False
            self._set_pause(self._is_paused)


def require_writer(run: Run) -> str:
    """Return the process that trains a run, e.g. `process 1234`. Raises NotTrainingError if there is none."""
    writer = run.writer()
    if writer is None:
        raise NotTrainingError(
            f"no process trains the run {run.name!r}: resume it with `tui-gpt train --headless --resume {run.name}`"
        )
    return writer


def send_request(run: Run, request: RunRequest, *, seconds: float = ANSWER_SECONDS) -> None:
    """Send a request to the process that trains a run, and wait for its answer.

    Raises NotTrainingError if there is none, RequestRefusedError if it refuses or does not answer, StorageError.
    """
    writer = require_writer(run)
    sent, until = SentRequest(run.path, request), time.monotonic() + seconds
    try:
        while (answer := sent.answer()) is None and time.monotonic() < until and run.is_written():
            time.sleep(_POLL_SECONDS)
    except BaseException:
        sent.withdraw()
        raise
    problem = _give_up(run, sent) if answer is None else answer.problem
    if problem:
        raise RequestRefusedError(f"the request to {request.action} {run.name} in {writer} had no effect: {problem}")


def _give_up(run: Run, sent: SentRequest) -> str:
    """Withdraw a request that is not answered, and return why it had no effect."""
    was_waiting = sent.withdraw()
    answer = sent.answer()
    if answer is not None:
        return answer.problem
    writer, silent = run.writer(), run.silent_seconds()
    if writer is None:
        return f"the process that trained the run {run.name!r} has ended"
    if silent > SILENT_SECONDS:
        return (
            f"{writer} has given no sign of life for {silent:.0f} s: it is suspended or frozen, so continue or end it"
        )
    if was_waiting:
        return f"{writer} does not answer: stop the run where it was started"
    return f"{writer} has read the request and has not answered: look whether the disk is full"
