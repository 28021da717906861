"""A sample of the model in training, at the step of the chart's cursor; new words since the one before are marked."""

from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Sampled
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.sample_changes import changed_spans, previous_sample


class SampleStrip(Vertical, can_focus=True):
    """The sample at the cursor; the newest one without a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sample-strip--new"}
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("sample.previous", "scrub(-1)", "Previous sample", show=False),
        key_binding("sample.next", "scrub(1)", "Next sample", show=False),
        key_binding("sample.first", "scrub(-1_000_000)", "First sample", show=False),
        key_binding("sample.last", "scrub(1_000_000)", "Last sample", show=False),
    ]

    class Scrubbed(Message):
        """The sample that comes `moves` places later is to be shown."""

        def __init__(self, moves: int) -> None:
            self.moves = moves
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[Sampled, Sampled | None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out heading and text."""
        with Horizontal(id="sample-top"):
            yield Static("‹ ", id="earlier-sample")
            yield Static("", id="sample-heading", markup=False)
            yield Static(" ›", id="later-sample")
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

    def action_scrub(self, moves: int) -> None:
        """Request another sample."""
        self.post_message(self.Scrubbed(moves))

    @on(events.Click, "#earlier-sample")
    def _earlier_clicked(self) -> None:
        self.action_scrub(-1)

    @on(events.Click, "#later-sample")
    def _later_clicked(self) -> None:
        self.action_scrub(1)

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
        return f"{words}, all new since {before.step:,}"
    return f"{words}, new since {before.step:,}" if spans else f"{words}, as at {before.step:,}"
