"""The Runs tab: every run on disk, to be opened, compared, resumed, generated with, and kept in order.

The list is read in a thread, without torch. What changes the disk is in `edits`, the comparison in `compare_screen`;
what concerns another tab is posted to the screen.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_bytes
from tui_gpt.keys import Keymap
from tui_gpt.storage.runs import RunList, RunSummary
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.runs.columns import state_sentence, step_words
from tui_gpt.tui.runs.edits import RunEdits
from tui_gpt.tui.runs.marks import MAX_MARKS, Marks
from tui_gpt.tui.runs.order import Order, in_order, matching
from tui_gpt.tui.runs.run_commands import RUN_COMMANDS
from tui_gpt.tui.runs.runs_table import RunsTable
from tui_gpt.tui.threads import in_background
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_control import RunControl

_REST_SECONDS = 0.003
"""Between two runs that are read from the disk, each of which takes about as long: keys come first."""
_NO_RUNS = "no runs yet\n\npress {tab.train}, then {form.start}, to train the first one"


class RunsPane(Widget):
    """A table of runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(command.binding for command in RUN_COMMANDS),
        key_binding("runs.clear", "clear", "Show all runs, remove the marks", show=False),
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

    class Renamed(Message):
        """A run has another name."""

        def __init__(self, name: str, new_name: str) -> None:
            self.name, self.new_name = name, new_name
            super().__init__()

    def __init__(self, control: RunControl, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._control = control
        self._list = RunList(control.store, rest=_REST_SECONDS)
        self._edits = RunEdits(self, control)
        self._runs: list[RunSummary] = []
        self._order = Order()
        self._sentence = ""
        self.marks = Marks()
        """The runs that are marked to be compared."""

    def compose(self) -> ComposeResult:
        """Lay out the table, or a sentence in its place, the run under the cursor, and the buttons."""
        yield Input(placeholder="words of name, state, preset, text or note", id="runs-filter", compact=True)
        yield Static("", id="no-runs", markup=False)
        yield RunsTable(id="runs")
        yield Static("", id="run-detail", markup=False)
        for row in (1, 2):
            with Horizontal(classes="buttons runs-buttons"):
                for command in (command for command in RUN_COMMANDS if command.row == row):
                    yield Button(
                        button_label(self, command.label, command.key), id=f"do-{command.action}", compact=True
                    )

    def on_mount(self) -> None:
        """Show that the list is being read."""
        self._filter.display = False
        self._show_sentence("reading the runs…")

    @property
    def table(self) -> RunsTable:
        """The list."""
        return self.query_one(RunsTable)

    @property
    def _filter(self) -> Input:
        return self.query_one("#runs-filter", Input)

    @property
    def selected(self) -> RunSummary | None:
        """The run under the cursor."""
        return self.table.current

    def focus_main(self) -> None:
        """Focus the list, or where there is none the tab itself, for its keys."""
        (self if self._sentence else self.table).focus()

    # The list

    def reload(self) -> None:
        """Read the list again."""
        self._start(self._reload, "runs")

    async def _reload(self) -> None:
        self._runs = await in_background(self._list.read)
        self.marks.keep({run.name for run in self._runs})
        self._show()

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> None:
        """Start a worker of the screen, which reports unexpected errors."""
        self.screen.run_worker(work, exclusive=True, group=group, exit_on_error=False)

    def _edit(self, work: Callable[[], Awaitable[None]]) -> None:
        """Start to change the disk; ignored until the last change is made and on screen."""
        if not any(worker.group == "edit" and not worker.is_finished for worker in self.workers):
            self._start(work, "edit")

    def _show(self) -> None:
        """Show the list as it is filtered, sorted and marked."""
        runs = in_order(matching(self._runs, self._filter.value), self._order)
        self.table.show(runs, self.marks.styles, self._order, time.time())
        self._show_sentence("" if self._runs else keymap_of(self).fill(_NO_RUNS))
        self._show_detail()

    def _show_sentence(self, words: str) -> None:
        """Show a sentence in place of the table, or the table if there is none."""
        if words == self._sentence:
            return
        had_focus = self.has_focus_within
        self._sentence = words
        self.can_focus = bool(words)
        self.query_one("#no-runs", Static).update(words)
        self.query_one("#no-runs").display = bool(words)
        self.table.display = not words
        self.query_one("#run-detail").display = not words
        self.query(".runs-buttons").set(display=not words)
        if had_focus:
            self.focus_main()

    @on(RunsTable.CursorMoved)
    def _show_detail(self) -> None:
        run = self.selected
        self.query_one("#run-detail", Static).update("" if run is None else detail(run, keymap_of(self)), layout=False)

    @on(RunsTable.HeadingPressed)
    def _heading_pressed(self, event: RunsTable.HeadingPressed) -> None:
        self._sort(self._order.by(event.key))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort(self._order.next())

    def action_reverse(self) -> None:
        """Sort in the other direction."""
        self._sort(self._order.reversed())

    def _sort(self, order: Order) -> None:
        self._order = order
        self._show()

    def action_filter(self) -> None:
        """Type words that the shown runs must have."""
        if self._runs:
            self._filter.display = True
            self._filter.focus()

    @on(Input.Changed, "#runs-filter")
    def _filter_changed(self) -> None:
        self._show()

    @on(Input.Submitted, "#runs-filter")
    def _filter_submitted(self) -> None:
        self._filter.display = bool(self._filter.value)
        self.focus_main()

    def action_clear(self) -> None:
        """Show all runs; if they are shown already, remove the marks."""
        if self._filter.display:
            self._filter.value = ""
            self._filter.display = False
        else:
            self.marks.clear()
        self._show()
        self.focus_main()

    # Comparing

    @on(RunsTable.MarkPressed)
    def action_mark(self) -> None:
        """Mark the run to be compared, or remove its mark, and go to the next one."""
        if self.selected is None:
            return
        if self.marks.toggle(self.selected.name):
            self._show()
            self.table.action_move(1)
        else:
            words = f"{MAX_MARKS} runs are marked already: {{runs.mark}} removes a mark, {{runs.clear}} all"
            self.notify(keymap_of(self).fill(words), severity="warning", markup=False)

    def action_compare(self) -> None:
        """Compare the marked runs."""
        if len(self.marks.styles) < 2:
            self.notify(keymap_of(self).fill(f"mark two to {MAX_MARKS} runs with {{runs.mark}} first"), markup=False)
        else:
            self._start(self._compare, "open")

    async def _compare(self) -> None:
        from tui_gpt.tui.runs.compare_screen import CompareScreen

        styles = dict(self.marks.styles)
        results = await self._edits.attempt("reading the runs", lambda: [*map(self._control.replay, styles)])
        for records in results:
            selected = self.selected.name if self.selected else ""
            self.app.push_screen(CompareScreen(records, styles, pinned=selected))

    # Actions on the run under the cursor

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.focus_main()
        await self.run_action((event.button.id or "").removeprefix("do-"))

    def action_resume_run(self) -> None:
        """Request to resume the run."""
        if self.selected:
            self.post_message(self.ResumeRequested(self.selected))

    def action_generate_with(self) -> None:
        """Request to generate with the run."""
        if self.selected:
            self.post_message(self.GenerateRequested(self.selected))

    @on(RunsTable.Opened)
    def action_open_run(self) -> None:
        """Show the run in the Train tab."""
        if self.selected:
            self._start(partial(self._open, self.selected.name), "open")

    async def _open(self, name: str) -> None:
        for record in await self._edits.attempt(f"opening {name}", self._control.open, name):
            self.post_message(self.Opened(self._control.follow(record)))

    def action_delete_run(self) -> None:
        """Delete the run."""
        if self.selected:
            self._edit(partial(self._delete, self.selected.name))

    async def _delete(self, name: str) -> None:
        if await self._edits.delete(name):
            self.post_message(self.Deleted(name))
            await self._reload()

    def action_undo(self) -> None:
        """Restore the run that was deleted last."""
        self._edit(self._undo)

    async def _undo(self) -> None:
        if name := await self._edits.restore():
            await self._reload()
            self.table.go_to(name)
            self.focus_main()

    def action_rename(self) -> None:
        """Give the run another name."""
        if self.selected:
            self._edit(partial(self._rename, self.selected.name))

    async def _rename(self, name: str) -> None:
        new_name = await self._edits.rename_run(name)
        if new_name is not None:
            self.marks.keep_for(name, new_name)
            self.post_message(self.Renamed(name, new_name))
            await self._reload()

    def action_note(self) -> None:
        """Write a note on the run."""
        if self.selected:
            self._edit(partial(self._note, self.selected))

    async def _note(self, run: RunSummary) -> None:
        if await self._edits.note(run):
            await self._reload()

    def action_export(self) -> None:
        """Export the run."""
        if self.selected:
            self._edit(partial(self._edits.export, self.selected))


def detail(run: RunSummary, keymap: Keymap) -> str:
    """Return what the table may have no space for."""
    parts = (
        *(run.name, state_sentence(run, keymap), run.note),
        *(run.preset, run.corpus, f"step {step_words(run)}", format_bytes(run.size)),
    )
    return escape_controls(" · ".join(part for part in parts if part)).replace("\n", " ")
