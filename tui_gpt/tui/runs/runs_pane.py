"""The Runs tab: every run on disk, to be opened, resumed, generated with or deleted.

The list is read in a thread, without torch. Opening and deleting are done here; the rest is posted to the screen.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, DataTable, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_age, format_loss
from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.dialogs import delete_question
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_control import RunControl

_COLUMNS = ("run", "state", "preset", "step", "best loss", "updated")
_OTHER_COLUMNS = 60
"""The width of all columns but the first, with their margins."""
_MIN_NAME = 12
_NO_RUNS = "no runs yet\n\npress {tab.train}, then {form.start}, to train the first one"
_PROBLEM_SECONDS = 10.0


class RunsPane(Widget):
    """A table of runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("runs.resume", "resume_run", "Resume"),
        key_binding("runs.generate", "generate_with", "Generate"),
        key_binding("runs.delete", "delete_run", "Delete"),
    ]

    class RunRequest(Message):
        """Something is to be done with a run."""

        def __init__(self, run: RunSummary) -> None:
            self.run = run
            super().__init__()

    class ResumeRequested(RunRequest):
        """A run is to be resumed."""

    class GenerateRequested(RunRequest):
        """A run's model is to be generated with."""

    class Opened(Message):
        """A run is to be shown in the Train tab."""

        def __init__(self, record: RunView) -> None:
            self.record = record
            super().__init__()

    class Deleted(Message):
        """A run has been deleted."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    def __init__(self, control: RunControl, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._control = control
        self._runs: dict[str, RunSummary] = {}
        self._shown_width = 0

    def compose(self) -> ComposeResult:
        """Lay out the table, or a sentence in its place, and the buttons."""
        yield Static("", id="no-runs", markup=False)
        yield DataTable[Text](id="runs", cursor_type="row", zebra_stripes=False)
        with Horizontal(classes="buttons", id="runs-buttons"):
            yield Button("Open  Enter", id="open", compact=True)
            yield Button(button_label(self, "Resume", "runs.resume"), id="resume", compact=True)
            yield Button(button_label(self, "Generate", "runs.generate"), id="generate-run", compact=True)
            yield Button(button_label(self, "Delete", "runs.delete"), id="delete", compact=True)

    def on_mount(self) -> None:
        """Show that the list is being read."""
        for name in _COLUMNS:
            self.table.add_column(name, key=name)
        self.query_one("#no-runs", Static).update("reading the runs…")
        self._show_table(False)

    @property
    def table(self) -> DataTable[Text]:
        """The list."""
        return self.query_one("#runs", DataTable)

    @property
    def selected(self) -> RunSummary | None:
        """The run under the cursor."""
        table = self.table
        if not table.row_count:
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        return self._runs.get(key or "")

    def focus_main(self) -> None:
        """Focus the list."""
        self.table.focus()

    def on_resize(self) -> None:
        """Adapt the names to the new width."""
        if self._runs and self._shown_width != self._name_width:
            self.show(list(self._runs.values()))

    def reload(self) -> None:
        """Read the list again."""
        self._start(self._reload, "runs")

    async def _reload(self) -> None:
        self.show(await asyncio.to_thread(self._control.store.list))

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> None:
        """Start a worker of the screen, which reports unexpected errors."""
        self.screen.run_worker(work, exclusive=True, group=group, exit_on_error=False)

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Replace the list; the cursor stays on its run."""
        selected = self.selected
        table = self.table
        table.clear()
        self._runs = {run.name: run for run in runs}
        now = time.time()
        self._shown_width = self._name_width
        for run in runs:
            table.add_row(*_cells(run, now, self._shown_width), key=run.name)
        self.query_one("#no-runs", Static).update(keymap_of(self).fill(_NO_RUNS))
        self._show_table(bool(runs))
        if selected and selected.name in self._runs:
            table.move_cursor(row=table.get_row_index(selected.name))

    @property
    def _name_width(self) -> int:
        """What the other columns leave for the name."""
        return max(_MIN_NAME, self.app.size.width - _OTHER_COLUMNS)

    def _show_table(self, any_runs: bool) -> None:
        self.table.display = any_runs
        self.query_one("#runs-buttons").display = any_runs
        self.query_one("#no-runs").display = not any_runs

    # Actions on the run under the cursor

    @on(Button.Pressed, "#resume")
    def action_resume_run(self) -> None:
        """Request to resume the run."""
        if self.selected:
            self.post_message(self.ResumeRequested(self.selected))

    @on(Button.Pressed, "#generate-run")
    def action_generate_with(self) -> None:
        """Request to generate with the run."""
        if self.selected:
            self.post_message(self.GenerateRequested(self.selected))

    @on(Button.Pressed, "#open")
    @on(DataTable.RowSelected)
    def _open_selected(self) -> None:
        if self.selected:
            self._start(partial(self._open, self.selected.name), "open")

    @on(Button.Pressed, "#delete")
    def action_delete_run(self) -> None:
        """Delete the run, after a question."""
        if self.selected:
            self._start(partial(self._delete, self.selected.name), "question")

    async def _open(self, name: str) -> None:
        try:
            with self._control.task(f"opening {name}"):
                record = await asyncio.to_thread(self._control.open, name)
        except TuiGptError as error:
            self._report(error)
        else:
            self.post_message(self.Opened(record))

    async def _delete(self, name: str) -> None:
        if self._control.is_training_run(name):
            self.notify(f"{name} is training: stop it first", severity="warning", markup=False)
            return
        if not await self.app.push_screen_wait(delete_question(name)):
            return
        try:
            with self._control.task(f"deleting {name}"):
                await asyncio.to_thread(self._control.delete, name)
        except TuiGptError as error:
            self._report(error)
        else:
            self.post_message(self.Deleted(name))
            self.reload()

    def _report(self, error: TuiGptError) -> None:
        self.notify(escape_controls(str(error)), severity="error", markup=False, timeout=_PROBLEM_SECONDS)


def _cells(run: RunSummary, now: float, name_width: int) -> list[Text]:
    name = Text(escape_controls(run.name), no_wrap=True)
    name.truncate(name_width, overflow="ellipsis")
    steps = f"{run.step:,}/{run.max_iters:,}" if run.max_iters else f"{run.step:,}"
    best = format_loss(run.best_val_loss, is_estimate=run.best_is_estimate)
    return [
        name,
        Text(run.state),
        Text(run.preset),
        Text(steps, justify="right"),
        Text(best, justify="right"),
        Text(format_age(max(0.0, now - run.updated)), justify="right"),
    ]
