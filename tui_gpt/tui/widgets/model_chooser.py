"""Which model writes: the newest run, any run's best or last checkpoint, the one in training, the shipped one."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui_gpt.runs import RunSummary
from tui_gpt.writing import LIVE, SHIPPED

NEWEST = ""
"""The chooser's name for the newest run, which `SessionLike.open_model` calls None."""

Choice = tuple[str, str, str]
"""Source, name, remark."""


def source_label(source: str | None) -> str:
    """A source as the prompt box names it."""
    return {None: "newest model", LIVE: "the model in training", SHIPPED: "shipped model"}.get(source, source or "")


def choices(runs: Sequence[RunSummary], live: bool) -> Iterator[Choice]:
    """What can be chosen, the likeliest first."""
    yield NEWEST, "newest model", "the newest run's best, else the shipped one"
    if live:
        yield LIVE, "live", "the model in training, as it stands now"
    yield SHIPPED, "shipped", "comes with the program"
    for run in runs:
        if run.has_checkpoint:
            loss = "" if run.best_val_loss is None else f"loss {run.best_val_loss:.3f}"
            yield f"{run.name}@best", f"{run.name}@best", loss
            yield f"{run.name}@last", f"{run.name}@last", f"step {run.step:,}"


class ModelChooser(ModalScreen[str | None]):
    """A list over the tab; dismissed with the source, or None when nothing was chosen."""

    DEFAULT_CSS = """
    ModelChooser {
        align: center middle;
        & > Vertical {
            width: 72;
            max-width: 95%;
            height: auto;
            max-height: 80%;
            border: round $border;
            background: $surface;
            padding: 0 1;
        }
        & OptionList, & OptionList:focus {
            height: auto;
            max-height: 16;
            border: none;
            background: transparent;
            padding: 0;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Leave it", key_display="esc")]

    def __init__(self, runs: Sequence[RunSummary], *, live: bool, current: str | None) -> None:
        super().__init__()
        self._choices = list(choices(runs, live))
        self._current = current or NEWEST

    def compose(self) -> ComposeResult:
        """A title and the list."""
        with Vertical() as frame:
            frame.border_title = "Write with"
            yield OptionList(*(Option(self._line(choice)) for choice in self._choices))

    def _line(self, choice: Choice) -> Content:
        source, name, remark = choice
        mark = "● " if source == self._current else "  "
        return Content.assemble(mark, name, "  ", (remark, "$text-muted"))

    def on_mount(self) -> None:
        """Begin at the one that is used."""
        sources = [source for source, _, _ in self._choices]
        self.query_one(OptionList).highlighted = sources.index(self._current) if self._current in sources else 0

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])
