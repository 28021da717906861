"""A sample of the model in training, at the step of the chart's cursor."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Sampled
from tui_gpt.tui.train.record import RunView


class SampleStrip(Vertical):
    """The sample at the cursor; the newest one without a cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Sampled | None = None

    def compose(self) -> ComposeResult:
        """Lay out heading and text."""
        yield Static("", id="sample-heading", markup=False)
        yield Static("", id="sample-text", markup=False)

    def show(self, record: RunView, step: float | None) -> None:
        """Show the sample of `step`, or the newest one (None); nothing if there is none."""
        sample = record.sample_at(record.step if step is None else step)
        if sample is self._shown and sample is not None:
            return
        self._shown = sample
        self.display = sample is not None
        if sample is not None:
            self.query_one("#sample-heading", Static).update(f"sample at step {sample.step:,}")
            self.query_one("#sample-text", Static).update(escape_controls(sample.prompt + sample.text).strip("\n"))
