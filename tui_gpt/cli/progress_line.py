"""How far a run has come, in one line on stderr.

On a terminal the line is rewritten in place, with a bar that takes the room that is left; elsewhere (a log file, a
pipe) a new line is written at most once a second, and one for every evaluation. The figures come from the events alone,
so a replayed run looks the same. Between events, `Heartbeat` has the line say what the work is busy with.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import Self, TextIO

from tui_gpt.control import Activity
from tui_gpt.escaping import escape_controls
from tui_gpt.eta import EtaEstimator
from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Evaluated,
    Event,
    Finished,
    Initialized,
    Progress,
    ResumeDiffers,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    SettingValue,
    Started,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.formatting import format_count, format_duration, format_loss, format_rate

_SECONDS_BETWEEN_LINES = 1.0
_SECONDS_BETWEEN_FRAMES = 0.1
LONGEST_SILENCE_SECONDS = 1.5
"""After which the line says what the work is busy with, on a terminal as elsewhere."""
BEAT_SECONDS = 0.25
_SHORTEST_BAR = 8
_LONGEST_BAR = 40
_GAP = "  "


class Standing:
    """What the events have told so far."""

    def __init__(self) -> None:
        self.first_step: int | None = None
        """Where training began, or went on after a resume; None until it has."""
        self.step = 0
        self.max_iters = 0
        self.loss: float | None = None
        self.evaluation: Evaluated | None = None
        self.best: Evaluated | None = None
        self.tokens_per_second: float | None = None
        self.saved_path: str | None = None
        self.finished: Finished | None = None
        self._eta = EtaEstimator()

    def note(self, event: Event) -> None:
        """Take in the next event."""
        self.step = max(self.step, event.step) if isinstance(event, Evaluated) else event.step
        match event:
            case Started():
                self.first_step, self.max_iters = event.step, event.max_iters
            case SettingChanged(setting="max_iters", value=int(value)):
                self.max_iters = value
            case Progress():
                self.loss, self.tokens_per_second = event.loss, event.tokens_per_second
                self._eta.mark(event.step, event.elapsed_seconds)
            case Evaluated():
                self.evaluation = event
                self.best = event if event.is_best else self.best
            case Saved():
                self.saved_path = event.path
            case Finished():
                self.finished = event
            case _:
                pass

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        return min(1.0, self.step / self.max_iters) if self.max_iters else 0.0

    def figures(self) -> list[str]:
        """The line's parts, the most important first."""
        parts = [f"step {self.step:,}/{self.max_iters:,}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.evaluation is not None:
            loss = format_loss(self.evaluation.val_loss, is_estimate=self.evaluation.is_estimate, digits=3)
            parts.append(f"val {loss}")
        seconds_left = self._eta.seconds_left(self.max_iters)
        if seconds_left is not None:
            parts.append(f"{format_duration(seconds_left)} left")
        if self.tokens_per_second:
            parts.append(format_rate(self.tokens_per_second))
        return parts


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, drawn in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width, "·")


def fitted_line(standing: Standing, width: int, busy_with: str = "") -> str:
    """The line for a terminal of `width` columns: share, bar, and as many of the figures as fit."""
    if standing.first_step is None and busy_with:
        return busy_with[: max(0, width - 1)]
    figures = [busy_with] * bool(busy_with) + standing.figures()
    while True:
        text = f"{standing.share:4.0%} "
        tail = _GAP + _GAP.join(figures)
        room = width - 1 - len(text) - len(tail)
        if room >= _SHORTEST_BAR or len(figures) == 1:
            return (text + bar(standing.share, min(max(room, 0), _LONGEST_BAR)) + tail)[: max(0, width - 1)]
        figures.pop()


class Heartbeat:
    """Calls a function a few times per second in a thread of its own, as long as it is entered."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # no more threads: then nothing is said between events
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            self._beat()


def _no_activity() -> Activity | None:
    return None


class ProgressLine:
    """Writes a run's events to a stream for people. `silent` writes nothing at all.

    `activity` tells what the work is busy with between events. Every method may be called from any thread.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
        activity: Callable[[], Activity | None] = _no_activity,
    ) -> None:
        self.standing = Standing()
        self._stream = stream
        self._silent = silent
        self._clock = clock
        self._activity = activity
        self._lock = threading.RLock()
        self._terminal = not silent and stream.isatty()
        self._last_drawn = -float("inf")
        self._line_stands = False
        self._busy_with: str | None = None
        self._busy_since = self._last_written = clock()

    def note(self, event: Event) -> None:
        """Take in the next event, and show it if it is time to."""
        with self._lock:
            self._busy_since = self._clock()
            self.standing.note(event)
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Started():
                self.say(_opening(event))
            case SettingChanged(origin="plan"):
                pass  # the line says how many steps there are, and every evaluation how much it has read
            case SettingChanged():
                self.say(_change(event))
            case StorageRecovered():
                self.say("saving works again", urgent=True)
            case ChangeRefused() | StepSkipped() | RolledBack() | StorageProblem() | CompileFailed():
                self.say(f"warning: {_problem(event)}", urgent=True)
            case Initialized():
                self.say(_source_of_weights(event))
            case ResumeDiffers():
                self.say(_difference(event), urgent=True)
            case Sampled():
                self.say(f"step {event.step:,} writes:\n{escape_controls(event.text)}")
            case Evaluated() if not self._terminal:
                self.say(_measured(event))
            case Progress() | Evaluated():
                self._draw_if_due()
            case _:
                pass

    def heartbeat(self) -> AbstractContextManager[object]:
        """Return a context in which the line says what goes on without an event; nothing where it is silent."""
        return nullcontext() if self._silent else Heartbeat(self.beat)

    def beat(self) -> None:
        """Say what the work is busy with, unless something was shown a moment ago."""
        with self._lock:
            now = self._clock()
            activity = self._activity()
            name = None if activity is None else activity.name
            if name != self._busy_with:
                self._busy_with, self._busy_since = name, now
            if self._silent or now - self._last_written < LONGEST_SILENCE_SECONDS:
                return
            steps = Activity("starting" if self.standing.first_step is None else "training")
            text = _busy(activity or steps, now - self._busy_since)
            if self._terminal:
                self._draw(text)
            else:
                self._write(_GAP.join([text, *self.standing.figures()[:1] * (self.standing.step > 0)]) + "\n")

    def _draw_if_due(self) -> None:
        now = self._clock()
        pause = _SECONDS_BETWEEN_FRAMES if self._terminal else _SECONDS_BETWEEN_LINES
        if self._silent or now - self._last_drawn < pause:
            return
        self._last_drawn = now
        if self._terminal:
            self._draw()
        else:
            self._write(_GAP.join(self.standing.figures()) + "\n")

    def _draw(self, busy_with: str = "") -> None:
        """Write the line in the place of the last one."""
        self._write("\r" + fitted_line(self.standing, _columns(self._stream), busy_with) + "\x1b[K")
        self._line_stands = True

    def say(self, text: str, *, urgent: bool = False) -> None:
        """Write a line of its own, above the progress line; an urgent one also where silence was asked for."""
        with self._lock:
            self.clear()
            if urgent or not self._silent:
                self._write(text + "\n")

    def clear(self) -> None:
        """Take the progress line away, so that whatever is written next begins on a clean line."""
        with self._lock:
            if self._line_stands:
                self._write("\r\x1b[K")
                self._line_stands = False

    def _write(self, text: str) -> None:
        self._last_written = self._clock()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._silent = True  # nobody reads stderr any more; the work goes on


def _busy(activity: Activity, seconds: float) -> str:
    done = "" if activity.done is None else f" {activity.done:.0%}"
    return f"{activity.name}{done}, {format_duration(int(seconds))}"


def _measured(event: Evaluated) -> str:
    """The figures of an evaluation, in one line."""
    part = f" (estimate on {event.val_tokens:,} characters)" if event.is_estimate else ""
    best = ", the best so far" if event.is_best else ""
    return (
        f"step {event.step:,}: training loss {event.train_loss:.4f}, validation loss {event.val_loss:.4f}{part}{best}"
    )


def _opening(event: Started) -> str:
    verb = "going on with" if event.step else "training"
    place = f" at step {event.step:,}" if event.step else ""
    return (
        f"{verb} {event.preset}{place}: {format_count(event.parameters)} parameters, "
        f"{format_count(event.train_tokens)} characters, {event.max_iters:,} steps on {event.device}"
    )


def _source_of_weights(event: Initialized) -> str:
    new = f"; new characters: {escape_controls(event.new_characters)}" if event.new_characters else ""
    return f"starting from the weights of {event.source}{new}"


def _difference(event: ResumeDiffers) -> str:
    return (
        f"warning: the first loss after the resume is {event.loss:.6f}, but {event.expected_loss:.6f} was computed "
        "before the interruption: this machine or this version computes differently, and the run continues"
    )


def _problem(event: ChangeRefused | StepSkipped | RolledBack | StorageProblem | CompileFailed) -> str:
    """Return the sentence that reports what went wrong though the run continues."""
    match event:
        case ChangeRefused():
            return f"{event.setting} was not changed: {event.reason}"
        case StepSkipped():
            return f"step {event.step:,} was skipped: its loss or gradient was not finite"
        case RolledBack():
            return f"step {event.step:,}: not finite again, rolled back to the state of step {event.to_step:,}"
        case StorageProblem():
            return escape_controls(event.problem)
        case CompileFailed():
            return f"the run continues without --compile ({escape_controls(event.problem)})"


def _change(event: SettingChanged) -> str:
    """Return the line that reports a changed setting."""
    match event.setting:
        case "max_iters" if event.value is not None:
            return f"from step {event.step:,} on: {_shown(event.value)} steps in all"
        case "max_iters" | "max_seconds" if event.value is None:
            return f"from step {event.step:,} on: no limit of {'time' if event.setting == 'max_seconds' else 'steps'}"
        case _:
            return f"from step {event.step:,} on: {event.setting} {_shown(event.value)}"


def _shown(value: SettingValue) -> str:
    return f"{value:,}" if type(value) is int else f"{value:g}" if isinstance(value, float) else str(value)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns
