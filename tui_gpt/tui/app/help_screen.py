"""F1: the keys of every tab, and how to read the chart; one page that scrolls, the tab one comes from first."""

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
    ("p", "pause, go on"),
    ("e", "change the learning rate while paused"),
    ("x", "stop and save"),
    ("r", "go on with a stopped run"),
    ("g", "write with this run"),
    ("n", "new run"),
    ("l", "logarithmic loss axis"),
    ("← → Home End", "read values in the chart, and the sample of that step"),
)
_CHART: Keys = (
    ("dim dots", "training loss, smallest to largest"),
    ("bright line", "training loss, smoothed"),
    ("● ○", "validation loss; an estimate on a part of the text"),
    ("‖ ▸ ◆ !", "paused, resumed, a setting changed, trouble"),
    ("dotted lines", "published losses on the same text"),
)
_PROMPT: Keys = (
    ("Enter", "write; Ctrl+J breaks the line"),
    ("↑ ↓", "earlier prompts"),
    ("Ctrl+_", "undo what was typed"),
    ("Ctrl+R", "measure how likely this text is"),
    ("Ctrl+T", "steady, lively, wild"),
    ("Ctrl+O", "choose the model"),
    ("Esc", "stop writing; go to the cards"),
    ("Tab", "settings: ← → choose, ↑ ↓ change"),
)
_CARDS: Keys = (
    ("↑ ↓ j k", "choose a card"),
    ("← →", "earlier and later answers"),
    ("r R", "again with a new seed; the very same again"),
    ("c e", "go on from the end; edit and go on"),
    ("n b v", "four more at once; one beside it; side by side"),
    ("p", "colour each character by its probability"),
    ("t Enter", "a cursor in the text with the ten likeliest characters"),
    ("y w W", "copy; save as text; save as Markdown"),
    ("u Delete", "undo; remove"),
    ("i", "back to the prompt"),
)
_RUNS: Keys = (
    ("Enter", "look at a run"),
    ("r g d", "go on; write with it; delete"),
)
_EVERYWHERE: Keys = (
    ("1 2 3, F2 F3 F4", "Train, Generate, Runs"),
    ("Tab, arrows", "move; the mouse does everything too"),
    ("Ctrl+P", "all commands and themes"),
    ("Ctrl+Z", "back to the shell; fg returns here"),
    ("q, Ctrl+Q", "quit; a run under way is saved first"),
)
_OF_TAB: Mapping[str, tuple[tuple[str, Keys], ...]] = MappingProxyType(
    {
        "train": (("Train", _TRAIN), ("The chart", _CHART)),
        "generate": (("Generate: the prompt", _PROMPT), ("Generate: a card", _CARDS)),
        "runs": (("Runs", _RUNS),),
    }
)


class HelpScreen(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close", show=False)]

    def __init__(self, tab: str) -> None:
        super().__init__()
        self._tab = tab

    def compose(self) -> ComposeResult:
        """One page."""
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(help_text(self._tab), markup=False)


def help_text(tab: str) -> Text:
    """The page, with the sections of `tab` first."""
    others = [section for name, sections in _OF_TAB.items() if name != tab for section in sections]
    text = Text()
    for title, keys in (*_OF_TAB[tab], ("Everywhere", _EVERYWHERE), *others):
        text.append(f"{title}\n", "bold underline")
        for key, meaning in keys:
            text.append(f"{key:<18}", "bold").append(f"{meaning}\n")
        text.append("\n")
    text.rstrip()
    return text
