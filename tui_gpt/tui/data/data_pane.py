"""The Data tab: the texts to train on, and what is known about the one under the cursor.

A text is read in a thread, and the losses of n-gram models are computed there in steps of a second at most; moving the
cursor or leaving the app ends that after the step in progress. Reading a folder is one step, however large it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.corpora import add_file, add_pasted
from tui_gpt.text.dropped import dropped_paths
from tui_gpt.text.library import free_name, remove_text, rename_text
from tui_gpt.text.report import TextReport, inspect
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.data.details import NgramLosses, details
from tui_gpt.tui.data.dialogs import AddScreen, NameScreen, remove_question
from tui_gpt.tui.data.entries import TextEntry, list_entries
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.styles import MUTED
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.threads import in_background

if TYPE_CHECKING:
    from tui_gpt.text.corpora import CorpusText

_REST_SECONDS = 0.2
"""The cursor must rest for this long before the text under it is read."""
_LIST_WIDTH = 28


class DataPane(Widget):
    """The list of texts, and the description of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("data.train", "train", "Train on it"),
        key_binding("data.add", "add", "Add"),
        key_binding("data.rename", "rename", "Rename"),
        key_binding("data.remove", "remove", "Remove"),
    ]

    class TrainRequested(Message):
        """A model is to be trained on a text."""

        def __init__(self, source: str) -> None:
            self.source = source
            super().__init__()

    def __init__(self, store: RunStore, state: AppState, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._store = store
        self._state = state
        self._entries: dict[str, TextEntry] = {}
        self._known: dict[str, tuple[TextReport, NgramLosses]] = {}
        """The descriptions that are complete, by source."""
        self.shown: tuple[str, TextReport, NgramLosses] | None = None
        """The description on screen."""

    def compose(self) -> ComposeResult:
        """Lay out list, description and buttons."""
        with Horizontal(id="data-columns"):
            yield OptionList(id="texts", compact=True)
            with VerticalScroll(id="text-scroll"):
                yield Static("reading the texts…", id="text-details", markup=False)
        with Horizontal(classes="buttons", id="data-buttons"):
            yield Button(
                button_label(self, "Train on it", "data.train"), id="train-text", variant="primary", compact=True
            )
            yield Button(button_label(self, "Add", "data.add"), id="add-text", compact=True)
            yield Button(button_label(self, "Rename", "data.rename"), id="rename-text", compact=True)
            yield Button(button_label(self, "Remove", "data.remove"), id="remove-text", compact=True)

    def on_mount(self) -> None:
        """Read the list."""
        self.reload()

    def focus_main(self) -> None:
        """Focus the list."""
        self.query_one("#texts", OptionList).focus()

    @property
    def selected(self) -> TextEntry | None:
        """The text under the cursor."""
        option = self.query_one("#texts", OptionList).highlighted_option
        return None if option is None else self._entries.get(option.id or "")

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> None:
        """Start a worker of the screen, which reports unexpected errors."""
        self.screen.run_worker(work, exclusive=True, group=group, exit_on_error=False)

    def stop(self) -> None:
        """Stop reading and computing."""
        self.workers.cancel_group(self.screen, "text")

    # The list

    def reload(self, select: str = "") -> None:
        """Read the list again, and move the cursor to `select` or keep it on its text."""
        self._start(partial(self._reload, select), "texts")

    async def _reload(self, select: str) -> None:
        entries = await asyncio.to_thread(list_entries, self._state.recent)
        wanted = select or (self.selected.source if self.selected else "")
        self._entries = {entry.source: entry for entry in entries}
        texts = self.query_one("#texts", OptionList)
        with self.prevent(OptionList.OptionHighlighted):
            texts.clear_options()
            texts.add_options(_options(entries))
        sources = [option.id for option in texts.options]
        texts.highlighted = sources.index(wanted) if wanted in sources else 1 if entries else None
        if not entries:
            self._show_words(keymap_of(self).fill("no texts yet\n\n{data.add} adds one; or drop a file here"))

    @on(OptionList.OptionHighlighted, "#texts")
    def _highlighted(self) -> None:
        if self.selected is not None:
            self._start(partial(self._describe, self.selected.source), "text")

    # The description

    async def _describe(self, source: str) -> None:
        """Show everything about a text, as it becomes known."""
        if source in self._known:
            self._show(source, *self._known[source])
            return
        self._show_words(f"reading {source}…")
        await asyncio.sleep(_REST_SECONDS)
        try:
            report, text = await in_background(inspect, source)
        except TuiGptError as error:
            self._show_words(str(error), "$text-error")
            return
        losses = NgramLosses(status="counting n-grams…")
        self._show(source, report, losses)
        await self._compute_losses(source, report, losses, text)
        self._known[source] = report, losses

    async def _compute_losses(self, source: str, report: TextReport, losses: NgramLosses, text: "CorpusText") -> None:
        """Fill in the losses one after another."""
        from tui_gpt.prior.orders import is_sampled, losses_by_order
        from tui_gpt.text.dataset import Corpus

        try:
            corpus = await in_background(Corpus.build, text, 1)
        except TuiGptError as error:
            losses.status = str(error)
        else:
            losses.is_sample = report.is_sample or is_sampled(corpus)
            orders = losses_by_order(corpus)
            while (found := await in_background(next, orders, None)) is not None:
                losses.by_order[found[0]] = found[1]
                self._show(source, report, losses)
            losses.status = ""
        self._show(source, report, losses)

    def _show(self, source: str, report: TextReport, losses: NgramLosses) -> None:
        self.shown = source, report, losses
        width = self.query_one("#text-scroll").content_size.width - 2
        self.query_one("#text-details", Static).update(details(source, report, losses, width))

    def _show_words(self, words: str, style: str = MUTED) -> None:
        self.shown = None
        self.query_one("#text-details", Static).update(Content.styled(escape_controls(words), style))

    def on_resize(self) -> None:
        """Adapt the bars to the new width."""
        if self.shown is not None:
            self.call_after_refresh(self._show, *self.shown)

    # Actions

    @on(Button.Pressed, "#train-text")
    @on(OptionList.OptionSelected, "#texts")
    def action_train(self) -> None:
        """Request to train on the text under the cursor."""
        if self.selected is not None:
            self.post_message(self.TrainRequested(self.selected.source))

    @on(Button.Pressed, "#add-text")
    def action_add(self) -> None:
        """Add a text, after asking for its path."""
        self._start(self._ask_path, "question")

    async def _ask_path(self) -> None:
        paths = await self.app.push_screen_wait(AddScreen())
        await self._add(paths)

    def on_paste(self, event: events.Paste) -> None:
        """Add the files that were dropped on the terminal, or else the pasted text itself."""
        event.stop()
        if paths := dropped_paths(event.text):
            self._start(partial(self._add, paths), "question")
        elif event.text.strip():
            self._start(partial(self._name_pasted, event.text), "question")

    async def _add(self, paths: Sequence[str]) -> None:
        for path in paths:
            try:
                entry, notes = await in_background(add_file, path)
            except TuiGptError as error:
                self._report(str(error), is_error=True)
                continue
            self._report("\n".join([f"added {entry.name}", *notes]))
            self._forget(entry.name)
            await self._reload(entry.name)

    async def _name_pasted(self, pasted: str) -> None:
        detail = f"{len(pasted):,} pasted characters become a text of this name."
        name = await in_background(free_name, "pasted")
        question = NameScreen("Add the pasted text", detail, name, partial(add_pasted, pasted))
        if added := await self.app.push_screen_wait(question):
            self._report(f"added {added}")
            await self._reload(added)

    @on(Button.Pressed, "#rename-text")
    def action_rename(self) -> None:
        """Rename the added text under the cursor, after asking for a name."""
        if (name := self._added_name("renamed")) is not None:
            self._start(partial(self._rename, name), "question")

    async def _rename(self, name: str) -> None:
        detail = "A run that was trained on it is then resumed by `tui-gpt train NEW_NAME --resume RUN`."
        question = NameScreen(f"Rename {name}", detail, name, lambda new: new == name or rename_text(name, new))
        if new := await self.app.push_screen_wait(question):
            self._forget(name)
            await self._reload(new)

    @on(Button.Pressed, "#remove-text")
    def action_remove(self) -> None:
        """Remove the added text under the cursor, after a question; take a recent one off the list."""
        entry = self.selected
        if entry is not None and entry.kind == "recent":
            self._state.forget_text(entry.source)
            self.reload()
        elif (name := self._added_name("removed")) is not None:
            self._start(partial(self._remove, name), "question")

    async def _remove(self, name: str) -> None:
        runs = await asyncio.to_thread(self._store.list)
        if not await self.app.push_screen_wait(remove_question(name, sum(run.corpus == name for run in runs))):
            return
        try:
            await asyncio.to_thread(remove_text, name)
        except TuiGptError as error:
            self._report(str(error), is_error=True)
        self._forget(name)
        await self._reload("")

    def _added_name(self, action: str) -> str | None:
        """Return the name of the added text under the cursor; notify the user if it is another kind of text."""
        entry = self.selected
        if entry is None or entry.kind == "added":
            return None if entry is None else entry.source
        why = "comes with the program" if entry.kind == "built in" else "is a file of yours"
        self._report(f"{entry.label} {why} and cannot be {action} here", is_error=True)
        return None

    def _forget(self, source: str) -> None:
        self._known.pop(source, None)

    def _report(self, words: str, *, is_error: bool = False) -> None:
        self.notify(escape_controls(words), severity="error" if is_error else "information", markup=False)


def _options(entries: Sequence[TextEntry]) -> list[Option]:
    """Return the lines of the list, each kind under its title."""
    options: list[Option] = []
    kind = ""
    for entry in entries:
        if entry.kind != kind:
            kind = entry.kind
            options.append(Option(Content.styled(kind, "bold $text-primary"), disabled=True))
        options.append(Option(_line(entry), id=entry.source))
    return options


def _line(entry: TextEntry) -> Content:
    space = _LIST_WIDTH - len(entry.remark) - 4
    return Content.assemble(f" {fitted(escape_controls(entry.label), space)} ", (entry.remark, MUTED))
