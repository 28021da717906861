"""A sample of the model in training, at the step of the chart's cursor; new words since the one before are marked."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Sampled
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.sample_changes import changed_spans, previous_sample


class SampleStrip(Vertical):
    """The sample at the cursor; the newest one without a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sample-strip--new"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[Sampled, Sampled | None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out heading and text."""
        yield Static("", id="sample-heading", markup=False)
        yield Static("", id="sample-text", markup=False)

    def show(self, record: RunView, step: float | None) -> None:
        """Show the sample of `step`, or the newest one (None); nothing if there is none."""
        sample = record.sample_at(record.step if step is None else step)
        if sample is None:
            self._shown = None
            self.display = False
            return
        shown = sample, previous_sample(record, sample)
        if shown != self._shown:
            self._shown = shown
            self.display = True
            self._draw(*shown)

    def notify_style_update(self) -> None:
        """Mark the new words in the colours of another theme."""
        super().notify_style_update()
        if self._shown is not None and self.is_mounted:
            self._draw(*self._shown)

    def _draw(self, sample: Sampled, before: Sampled | None) -> None:
        text = _text_of(sample)
        spans = None if before is None else changed_spans(_text_of(before), text)
        self.query_one("#sample-heading", Static).update(_heading(sample, before, spans))
        shown = Text(text)
        for begin, end in spans or ():
            shown.stylize(self.get_component_rich_style("sample-strip--new", partial=True), begin, end)
        self.query_one("#sample-text", Static).update(shown)


def _text_of(sample: Sampled) -> str:
    return escape_controls(sample.prompt + sample.text).strip("\n")


def _heading(sample: Sampled, before: Sampled | None, spans: list[tuple[int, int]] | None) -> str:
    """Return the step of a sample, and what the marked words are."""
    words = f"sample at step {sample.step:,}"
    if before is None:
        return words
    if spans is None:
        return f"{words}, unlike that of step {before.step:,}"
    return f"{words}, new since {before.step:,} marked" if spans else f"{words}, as at step {before.step:,}"
