"""The progress of a run, drawn as one line on stderr.

On a terminal the line is rewritten in place, with a bar that fills the free columns. Elsewhere (a log file, a pipe) a
new line is written at most once per second, and one for every evaluation. All figures come from the events, so a
replayed run looks the same. Between events, a `Heartbeat` shows what the worker is doing.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from tui_gpt.cli.heartbeat import Heartbeat
from tui_gpt.control import Activity
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Evaluated, Event, Progress, Sampled
from tui_gpt.formatting import bar, format_duration, format_loss, format_rate
from tui_gpt.notices import Notice, notice_of
from tui_gpt.progress import RunRecord

MAX_SILENT_SECONDS = 1.5
"""Seconds without output after which the line shows what the worker is doing, on a terminal or elsewhere."""
_SECONDS_BETWEEN_LINES = 1.0
_SECONDS_BETWEEN_FRAMES = 0.1
_MIN_BAR_CELLS = 8
_MAX_BAR_CELLS = 40
_GAP = "  "


def figures(record: RunRecord) -> list[str]:
    """Return the parts of the line, the most important first."""
    parts = [f"step {record.step:,}/{record.max_iters:,}"]
    progress, evaluation, seconds_left = record.progress, record.evaluation, record.seconds_left
    if progress is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if evaluation is not None:
        parts.append(f"val {format_loss(evaluation.val_loss, is_estimate=evaluation.is_estimate, digits=3)}")
    if evaluation is not None and record.unit != "character":
        parts.append(f"{format_loss(evaluation.bits_per_char, is_estimate=evaluation.is_estimate, digits=3)} bits/char")
    if seconds_left is not None:
        parts.append(f"{format_duration(seconds_left)} left")
    if progress is not None:
        parts.append(format_rate(progress.tokens_per_second * record.token_size.characters))
    return parts


def fitted_line(record: RunRecord, width: int, activity: str = "") -> str:
    """Return the line for a terminal of `width` columns: percentage, bar, and as many figures as fit."""
    if record.started is None and activity:
        return activity[: max(0, width - 1)]
    parts = [activity] * bool(activity) + figures(record)
    while True:
        text = f"{record.fraction_done:4.0%} "
        tail = _GAP + _GAP.join(parts)
        free = width - 1 - len(text) - len(tail)
        if free >= _MIN_BAR_CELLS or len(parts) == 1:
            return (text + bar(record.fraction_done, min(max(free, 0), _MAX_BAR_CELLS)) + tail)[: max(0, width - 1)]
        parts.pop()


def _no_activity() -> Activity | None:
    return None


class ProgressLine:
    """Writes a run's events to a stream for people. `silent` writes only what is urgent.

    `activity` returns what the worker is doing between events. Every method may be called from any thread.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
        activity: Callable[[], Activity | None] = _no_activity,
    ) -> None:
        self.record = RunRecord()
        self._stream = stream
        self._silent = silent
        self._clock = clock
        self._activity = activity
        self._lock = threading.RLock()
        self._terminal = not silent and stream.isatty()
        self._last_drawn = -float("inf")
        self._is_drawn = False
        """Whether the line is on the terminal and has to be erased before anything else is written."""
        self._activity_name: str | None = None
        self._activity_since = self._last_written = clock()

    def note(self, event: Event) -> None:
        """Fold in the next event, and show it when it is due."""
        with self._lock:
            self._activity_since = self._clock()
            self.record.apply(event)
            notice = notice_of(event)
            if notice is not None:
                self.write_line(_line_of(notice), urgent=notice.is_urgent)
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Sampled():
                self.write_line(f"sample at step {event.step:,}:\n{escape_controls(event.text)}")
            case Evaluated() if not self._terminal:
                self.write_line(_evaluation_line(event, self.record.unit))
            case Progress() | Evaluated():
                self._draw_if_due()
            case _:
                pass

    def heartbeat(self) -> AbstractContextManager[object]:
        """Return a context in which the line is kept up to date between events; it does nothing in silence."""
        return nullcontext() if self._silent else Heartbeat(self.beat)

    def beat(self) -> None:
        """Show what the worker is doing, unless something was written a moment ago."""
        with self._lock:
            now = self._clock()
            activity = self._activity()
            name = None if activity is None else activity.name
            if name != self._activity_name:
                self._activity_name, self._activity_since = name, now
            if self._silent or now - self._last_written < MAX_SILENT_SECONDS:
                return
            text = _activity_text(activity or _between_events(self.record), now - self._activity_since)
            if self._terminal:
                self._draw(text)
            else:
                self._write(_GAP.join([text, *figures(self.record)[:1] * (self.record.step > 0)]) + "\n")

    def _draw_if_due(self) -> None:
        now = self._clock()
        pause = _SECONDS_BETWEEN_FRAMES if self._terminal else _SECONDS_BETWEEN_LINES
        if self._silent or now - self._last_drawn < pause:
            return
        self._last_drawn = now
        if self._terminal:
            self._draw()
        else:
            self._write(_GAP.join(figures(self.record)) + "\n")

    def _draw(self, activity: str = "") -> None:
        """Rewrite the line in place."""
        self._write("\r" + fitted_line(self.record, _columns(self._stream), activity) + "\x1b[K")
        self._is_drawn = True

    def write_line(self, text: str, *, urgent: bool = False) -> None:
        """Write a line above the progress line; an urgent one even if `silent`."""
        with self._lock:
            self.clear()
            if urgent or not self._silent:
                self._write(text + "\n")

    def write_warning(self, sentence: str) -> None:
        """Write a warning above the progress line, even if `silent`."""
        self.write_line(f"warning: {escape_controls(sentence)}", urgent=True)

    def send(self, codes: str) -> None:
        """Write escape sequences that draw nothing, to a terminal alone."""
        with self._lock:
            if codes and self._terminal:
                self._write(codes)

    def clear(self) -> None:
        """Erase the progress line, so that the next output begins on an empty line."""
        with self._lock:
            if self._is_drawn:
                self._write("\r\x1b[K")
                self._is_drawn = False

    def _write(self, text: str) -> None:
        self._last_written = self._clock()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._silent = True  # stderr was closed, which is no reason to stop training


def _between_events(record: RunRecord) -> Activity:
    if record.started is None:
        return Activity("starting")
    return Activity("paused" if record.state == "paused" else "training")


def _activity_text(activity: Activity, seconds: float) -> str:
    done = "" if activity.done is None else f" {activity.done:.0%}"
    return f"{activity.name}{done}, {format_duration(int(seconds))}"


def _line_of(notice: Notice) -> str:
    return f"{'warning: ' if notice.kind == 'warning' else ''}{escape_controls(notice.sentence)}"


def _evaluation_line(event: Evaluated, unit: str) -> str:
    part = f" (estimate on {event.val_tokens:,} {unit}s)" if event.is_estimate else ""
    bits = "" if unit == "character" else f", {event.bits_per_char:.3f} bits per character"
    best = ", the best so far" if event.is_best else ""
    losses = f"training loss {event.train_loss:.4f}, validation loss {event.val_loss:.4f}{part}"
    return f"step {event.step:,}: {losses}{bits}{best}"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns
