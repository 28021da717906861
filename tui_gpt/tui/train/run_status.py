"""The figures of a run: a headline, a row of numbers, and how far it has come."""

import time
from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from tui_gpt.escaping import escape_controls
from tui_gpt.eta import EtaEstimator
from tui_gpt.events import Progress
from tui_gpt.formatting import format_count, format_duration
from tui_gpt.tui.train.record import RunRecord, loss_words

_LEAST_CELL = 12
_TICK_SECONDS = 1.0
_ENDINGS = {
    "completed": "finished",
    "time_limit": "time is up",
    "early_stop": "finished early",
    "stopped": "stopped",
}


def headline(record: RunRecord, activity: str = "") -> str:
    """What the run is doing, in a sentence; `activity` is what its worker is busy with between two events."""
    step = f"step {record.step:,}"
    if activity and record.is_live:
        return activity
    match record.phase:
        case "loading":
            return f"preparing {record.config.corpus}…"
        case "running":
            return f"training {record.name}"
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


def _ended(record: RunRecord) -> str:
    if record.finished is None:
        return f"{record.name}, step {record.step:,}"
    return f"{_ENDINGS[record.finished.reason]}: {record.name}"


def figures(record: RunRecord, smoothed: float | None) -> list[tuple[str, str]]:
    """(name, value) pairs, the most telling first."""
    progress = record.progress
    evaluation = record.evaluations[-1] if record.evaluations else None
    about = "~" if evaluation and evaluation.is_estimate else ""
    return [
        ("loss", "–" if smoothed is None else f"{smoothed:.3f}"),
        ("validation", loss_words(evaluation) if evaluation else "–"),
        ("best", loss_words(record.best) if record.best else "–"),
        ("bits/char", f"{about}{evaluation.bits_per_char:.2f}" if evaluation else "–"),
        ("chars/s", format_count(progress.tokens_per_second) if progress else "–"),
        ("rate", f"{progress.learning_rate:.2g}" if progress else "–"),
        ("parameters", format_count(record.started.parameters) if record.started else "–"),
        ("device", record.started.device if record.started else "–"),
    ]


class RunStatus(Widget):
    """Three lines: names, numbers, progress."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "run-status--name",
        "run-status--value",
        "run-status--bar",
        "run-status--rest",
    }

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._record = RunRecord()
        self._smoothed: float | None = None
        self._eta = EtaEstimator()
        self._progress_shown: Progress | None = None
        self._marked_at = clock()
        """When the newest figures came."""

    def show(self, record: RunRecord) -> None:
        """Draw `record` as it stands now; call again whenever it has grown."""
        if record is not self._record:
            self._eta, self._marked_at = EtaEstimator(), self._clock()
        if record.progress is not self._progress_shown:
            self._progress_shown, self._marked_at = record.progress, self._clock()
        self._record = record
        line = record.train.smoothed()
        self._smoothed = line[-1][1] if line else None
        if record.progress:
            self._eta.mark(record.progress.step, record.progress.elapsed_seconds)
        self.refresh()

    def on_mount(self) -> None:
        """Time goes on while steps are long and no figures come."""
        self.set_interval(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._record.phase in ("running", "pausing"):
            self.refresh()

    def render(self) -> RenderResult:
        """The three lines."""
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
        total = record.max_iters or 0
        words = f"  step {record.step:,} of {total:,}" if total else f"  step {record.step:,}"
        words += f"  {self.time_words()}".rstrip()
        share = min(1.0, record.step / total) if total else 0.0
        cells = max(4, width - len(words) - 6)
        done = round(share * cells)
        return Text.assemble(
            ("━" * done, self._style("bar")),
            ("━" * (cells - done), self._style("rest")),
            (f" {share:>4.0%} ", self._style("value")),
            (words, self._style("name")),
        )

    def time_words(self) -> str:
        """The time that the run has still to go, or has taken; it goes on between two events, as steps may be long."""
        record, total = self._record, self._record.max_iters or 0
        if not record.is_live or not total:
            return format_duration(record.progress.elapsed_seconds) if record.progress else ""
        passed = self._clock() - self._marked_at if record.phase in ("running", "pausing") else 0.0
        seconds = self._eta.seconds_left(total)
        if seconds is None:
            elapsed = passed + (record.progress.elapsed_seconds if record.progress else 0.0)
            return f"{format_duration(int(elapsed))} so far" if elapsed >= 1.0 else ""
        if passed > seconds:
            return f"last figures {format_duration(int(passed))} ago"
        return f"{format_duration(seconds - passed)} left"

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"run-status--{name}")
