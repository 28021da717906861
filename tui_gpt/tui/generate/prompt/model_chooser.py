"""The dialog that selects a model: the newest run's, a run's best or last checkpoint, live weights, the shipped one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui_gpt.errors import TuiGptError
from tui_gpt.formatting import format_loss
from tui_gpt.storage.names import LIVE, SHIPPED
from tui_gpt.storage.runs import RunStore, RunSummary, Which
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.styles import MUTED

NEWEST = ""
"""The dialog's value for the newest run, which is None for `SessionLike.open_model`."""

Choice = tuple[str, str, str]
"""Source, name, remark."""


def source_label(source: str | None) -> str:
    """Return a source as the prompt box names it."""
    return {None: "newest model", LIVE: "live weights of the run", SHIPPED: "shipped model"}.get(source, source or "")


Checkpoints = Mapping[str, Collection[Which]]
"""The checkpoints of each run, by its name."""


def checkpoints_of(store: RunStore, runs: Sequence[RunSummary]) -> Checkpoints:
    """Find the checkpoints of runs. Reads the disk."""
    return {run.name: [which for which in get_args(Which) if _has(store, run.name, which)] for run in runs}


def _has(store: RunStore, name: str, which: Which) -> bool:
    try:
        return store.get(name).checkpoint_dir(which) is not None
    except TuiGptError:
        return False


def choices(runs: Sequence[RunSummary], checkpoints: Checkpoints, live: bool) -> Iterator[Choice]:
    """Yield the models to choose from."""
    yield NEWEST, "newest model", "best checkpoint of the newest run, else the shipped model"
    if live:
        yield LIVE, "live", "current weights of the run in training"
    yield SHIPPED, "shipped", "comes with the program"
    for run in runs:
        loss = format_loss(run.best_val_loss, is_estimate=run.best_is_estimate, digits=3)
        best = "" if run.best_val_loss is None else f"loss {loss}"
        remarks: dict[Which, str] = {"best": best, "last": f"step {run.step:,}"}
        for which in checkpoints.get(run.name, ()):
            yield f"{run.name}@{which}", f"{run.name}@{which}", remarks[which]


class ModelChooser(ModalScreen[str | None]):
    """A list of models; dismissed with the source chosen, or None."""

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
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False),
        key_binding("dialog.leave_list", "dismiss(None)", "Cancel", show=False),
    ]

    def __init__(
        self, runs: Sequence[RunSummary], checkpoints: Checkpoints, *, live: bool, current: str | None
    ) -> None:
        super().__init__()
        self._choices = list(choices(runs, checkpoints, live))
        self._current = current or NEWEST

    def compose(self) -> ComposeResult:
        """Lay out title and list."""
        with Vertical() as frame:
            frame.border_title = "Model"
            yield OptionList(*(Option(self._line(choice)) for choice in self._choices))

    def _line(self, choice: Choice) -> Content:
        source, name, remark = choice
        mark = "● " if source == self._current else "  "
        return Content.assemble(mark, name, "  ", (remark, MUTED))

    def on_mount(self) -> None:
        """Highlight the current model."""
        sources = [source for source, _, _ in self._choices]
        self.query_one(OptionList).highlighted = sources.index(self._current) if self._current in sources else 0

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])
