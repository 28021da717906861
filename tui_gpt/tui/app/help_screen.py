"""F1: the keys of every tab and the symbols of the chart, on one page that scrolls; the current tab comes first."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

Keys = tuple[tuple[str, str], ...]

_TRAIN: Keys = (
    ("s", "start the run in the form"),
    ("a", "all settings, each with its range"),
    ("f", "start from other weights than new ones"),
    ("p", "pause, continue"),
    ("e", "change the learning rate while paused"),
    ("x", "stop and save"),
    ("d", "detach from a run of another process"),
    ("r", "resume a stopped run"),
    ("g", "generate with this run"),
    ("n", "new run"),
    ("l", "logarithmic loss axis"),
    ("← → Home End", "read values and samples at a step; Esc ends"),
    ("a", "x axis: steps, characters read, seconds"),
    ("v", "loss, learning rate, gradient norm, speed"),
    ("[ ]", "smooth less, smooth more"),
    ("+ - mouse wheel", "zoom in and out at the cursor"),
    (", .", "earlier and later steps"),
    ("t f 0", "last steps; follow the newest; the whole run"),
)
_CHART: Keys = (
    ("dim dots", "training loss, minimum to maximum"),
    ("bright line", "training loss, smoothed"),
    ("● ○", "validation loss; estimate on part of the text"),
    ("‖ ▸ ◆ !", "paused, resumed, setting changed, problem"),
    ("▪ « ■", "checkpoint, rolled back, stopped early"),
    ("gap in the line", "a step that was not finite (NaN)"),
    ("dotted lines", "guessing; published losses on this text"),
)
_PROMPT: Keys = (
    ("Enter", "generate; Ctrl+J starts a new line"),
    ("↑ ↓", "earlier prompts"),
    ("Ctrl+_", "undo typing"),
    ("Ctrl+R", "compute the probability of each character"),
    ("Ctrl+T", "next sampling preset: steady, lively, wild"),
    ("Ctrl+O", "choose the model"),
    ("Esc", "stop generating; go to the cards"),
    ("Tab", "sampling settings: ← → select, ↑ ↓ change"),
)
_CARDS: Keys = (
    ("↑ ↓ j k", "select a card"),
    ("← →", "previous and next answer"),
    ("r R", "regenerate: with a new seed; with the same"),
    ("c e", "continue at the end; edit, then continue"),
    ("n", "generate four more answers"),
    ("b", "compare with the current model and settings"),
    ("v", "show the answers side by side"),
    ("p", "colour each character by its probability"),
    ("Enter t", "show the ten alternatives at a text cursor"),
    ("y w W", "copy; save as text; save as Markdown"),
    ("u Delete", "undo; remove the card"),
    ("i", "back to the prompt"),
)
_RUNS: Keys = (
    ("Enter", "open a run; follow it if another process trains it"),
    ("r g d", "resume; generate; delete"),
)
_DATA: Keys = (
    ("Enter t", "train on the text"),
    ("a", "add a file or a folder; or drop files here"),
    ("paste", "add the pasted text"),
    ("r d", "rename; remove"),
)
_EVERYWHERE: Keys = (
    ("1 2 3 4, F2 to F5", "Train, Generate, Runs, Data"),
    ("Tab, arrows", "move the focus; the mouse works everywhere"),
    ("Ctrl+P", "all commands and themes"),
    ("Ctrl+Z", "back to the shell; fg returns here"),
    ("q, Ctrl+Q", "quit; a run in progress is saved first"),
)
_SECTIONS: Mapping[str, tuple[tuple[str, Keys], ...]] = MappingProxyType(
    {
        "train": (("Train", _TRAIN), ("The chart", _CHART)),
        "generate": (("Generate: the prompt", _PROMPT), ("Generate: a card", _CARDS)),
        "runs": (("Runs", _RUNS),),
        "data": (("Data", _DATA),),
    }
)


class HelpScreen(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close", show=False)]

    def __init__(self, tab: str) -> None:
        super().__init__()
        self._tab = tab

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(help_text(self._tab), markup=False)


def help_text(tab: str) -> Text:
    """Return the page, with the sections of `tab` first."""
    others = [section for name, sections in _SECTIONS.items() if name != tab for section in sections]
    text = Text()
    for title, keys in (*_SECTIONS[tab], ("Everywhere", _EVERYWHERE), *others):
        text.append(f"{title}\n", "bold underline")
        for key, meaning in keys:
            text.append(f"{key:<18}", "bold").append(f"{meaning}\n")
        text.append("\n")
    text.rstrip()
    return text
