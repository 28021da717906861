"""The status of a run: a headline, a row of figures and a progress bar."""

import time
from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Progress
from tui_gpt.formatting import bar, format_count, format_duration
from tui_gpt.notices import device_words
from tui_gpt.tui.train.pace import Pace
from tui_gpt.tui.train.record import RunView, loss_words

_LEAST_CELL = 12
_TICK_SECONDS = 1.0
_ENDINGS = {
    "completed": "finished",
    "time_limit": "time limit reached",
    "early_stop": "stopped early",
    "stopped": "stopped",
}


def headline(record: RunView, activity: str = "") -> str:
    """Return what the run is doing; `activity` is what its worker does between two events."""
    step = f"step {record.step:,}"
    if activity and record.is_live:
        return activity
    match record.phase:
        case "loading":
            return f"preparing {record.config.corpus}…"
        case "running":
            return f"{'following' if record.writer else 'training'} {record.name}"
        case "pausing":
            return "pausing after this step…"
        case "paused":
            return f"paused at {step}"
        case "stopping":
            return "saving…" if record.step else "stopping…"
        case "failed":
            return f"{record.name or 'the run'} failed"
        case _:
            return _ended(record)


def _ended(record: RunView) -> str:
    if record.finished is None:
        return f"{record.name}, step {record.step:,}"
    return f"{_ENDINGS[record.finished.reason]}: {record.name}"


def figures(record: RunView, smoothed: float | None) -> list[tuple[str, str]]:
    """Return (name, value) pairs, the most important first."""
    progress = record.progress
    evaluation = record.evaluation
    about = "~" if evaluation and evaluation.is_estimate else ""
    return [
        ("loss", "–" if smoothed is None else f"{smoothed:.3f}"),
        ("validation", loss_words(evaluation) if evaluation else "–"),
        ("best", loss_words(record.best) if record.best else "–"),
        ("bits/char", f"{about}{evaluation.bits_per_char:.2f}" if evaluation else "–"),
        ("chars/s", format_count(progress.tokens_per_second * record.token_size.characters) if progress else "–"),
        ("lr", f"{progress.learning_rate:.2g}" if progress else "–"),
        ("parameters", format_count(record.started.parameters) if record.started else "–"),
        ("device", device_words(record.started) if record.started else "–"),
    ]


class RunStatus(Widget):
    """Three lines: the names of the figures, their values, and the progress bar."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "run-status--name",
        "run-status--value",
        "run-status--bar",
        "run-status--rest",
    }

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._record = RunView()
        self._pace = Pace(self, self.refresh)
        self._smoothed: float | None = None
        self._progress_shown: Progress | None = None
        self._marked_at = clock()
        """When the newest progress event was shown."""

    def show(self, record: RunView) -> None:
        """Draw `record`; call again after it has changed."""
        if record is not self._record:
            self._marked_at = self._clock()
        if record.progress is not self._progress_shown:
            self._progress_shown, self._marked_at = record.progress, self._clock()
        self._record = record
        line = record.train.line()
        self._smoothed = line.values[-1] if line.values else None
        self._pace.request()

    def on_mount(self) -> None:
        """Redraw every second, as the time passes also between two events."""
        self.set_interval(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._record.phase in ("running", "pausing"):
            self.refresh()

    def render(self) -> RenderResult:
        """Return the three lines."""
        width = max(1, self.size.width)
        text = Text(no_wrap=True, overflow="crop")
        text.append_text(self._figures(width)).append("\n").append_text(self._progress(width))
        return text

    def _figures(self, width: int) -> Text:
        pairs = figures(self._record, self._smoothed)
        shown = pairs[: max(1, min(len(pairs), width // _LEAST_CELL))]
        cell = width // len(shown)
        names = Text("".join(f"{name:<{cell}}" for name, _ in shown), self._style("name"))
        values = Text("".join(f"{escape_controls(value):<{cell}}" for _, value in shown), self._style("value"))
        return Text("\n").join([names, values])

    def _progress(self, width: int) -> Text:
        record = self._record
        total = record.max_iters
        words = f"  step {record.step:,} of {total:,}" if total else f"  step {record.step:,}"
        words += f"  {self.time_words()}".rstrip()
        drawn = bar(record.fraction_done, max(4, width - len(words) - 6))
        filled = drawn.rstrip("·")
        return Text.assemble(
            (filled, self._style("bar")),
            (drawn[len(filled) :], self._style("rest")),
            (f" {record.fraction_done:>4.0%} ", self._style("value")),
            (words, self._style("name")),
        )

    def time_words(self) -> str:
        """Return the time left, or taken. It is extrapolated between two events, as steps may be long."""
        record = self._record
        if not record.is_live or not record.max_iters:
            return format_duration(record.progress.elapsed_seconds) if record.progress else ""
        passed = self._clock() - self._marked_at if record.phase in ("running", "pausing") else 0.0
        seconds = record.seconds_left
        if seconds is None:
            elapsed = passed + (record.progress.elapsed_seconds if record.progress else 0.0)
            return f"{format_duration(int(elapsed))} so far" if elapsed >= 1.0 else ""
        if passed > seconds:
            return f"last update {format_duration(int(passed))} ago"
        return f"{format_duration(seconds - passed)} left"

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"run-status--{name}")
