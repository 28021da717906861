"""The Runs tab: every run on disk, to be opened, gone on with, written with or deleted.

The list is read in a thread, without torch. The pane posts what the user asks for; the app does it.
"""

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, DataTable, Static

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_age, format_loss
from tui_gpt.storage.runs import RunSummary

_COLUMNS = ("run", "state", "preset", "step", "best", "changed")
_OTHER_COLUMNS = 56
"""Cells that everything but the name takes, margins included."""


class RunsTable(DataTable[Text], inherit_bindings=True):
    """The list, with the keys that act on the line under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Open"),
        Binding("r", "screen.with_run('resume')", "Go on"),
        Binding("g", "screen.with_run('write')", "Write with it"),
        Binding("d,delete", "screen.with_run('delete')", "Delete"),
    ]


class RunsPane(Widget):
    """Every run on disk."""

    class Asked(Message):
        """The user asked for something to be done with a run: open, resume, write or delete."""

        def __init__(self, what: str, run: RunSummary) -> None:
            self.what, self.run = what, run
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: dict[str, RunSummary] = {}

    def compose(self) -> ComposeResult:
        """The table, or a sentence in its place."""
        yield Static("", id="no-runs", markup=False)
        yield RunsTable(id="runs", cursor_type="row", zebra_stripes=False)
        with Horizontal(classes="buttons", id="runs-buttons"):
            yield Button("Open  Enter", id="open", compact=True)
            yield Button("Go on  r", id="resume", compact=True)
            yield Button("Write  g", id="write", compact=True)
            yield Button("Delete  d", id="delete", compact=True)

    def on_mount(self) -> None:
        """Nothing is known yet."""
        table = self.query_one(RunsTable)
        for name in _COLUMNS:
            table.add_column(name, key=name)
        self.query_one("#no-runs", Static).update("reading the runs…")
        self._show_content(False)

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Replace the list; the cursor stays on its run."""
        chosen = self.chosen
        table = self.query_one(RunsTable)
        table.clear()
        self._runs = {run.name: run for run in runs}
        now = time.time()
        for run in runs:
            table.add_row(*_cells(run, now, self._name_width), key=run.name)
        self.query_one("#no-runs", Static).update("no runs yet\n\npress 1, then s, to train the first one")
        self._show_content(bool(runs))
        if chosen and chosen.name in self._runs:
            table.move_cursor(row=table.get_row_index(chosen.name))

    @property
    def _name_width(self) -> int:
        """What the other columns leave for a name."""
        return max(12, self.app.size.width - _OTHER_COLUMNS)

    def _show_content(self, any_runs: bool) -> None:
        self.query_one(RunsTable).display = any_runs
        self.query_one("#runs-buttons").display = any_runs
        self.query_one("#no-runs").display = not any_runs

    def focus_main(self) -> None:
        """Put the keyboard on the list."""
        self.query_one(RunsTable).focus()

    @property
    def chosen(self) -> RunSummary | None:
        """The run under the cursor."""
        table = self.query_one(RunsTable)
        if not table.row_count:
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        return self._runs.get(key or "")

    def ask(self, what: str) -> None:
        """Ask for something to be done with the run under the cursor."""
        if self.chosen:
            self.post_message(self.Asked(what, self.chosen))

    @on(DataTable.RowSelected)
    def _row_selected(self) -> None:
        self.ask("open")

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.ask(event.button.id or "open")


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
