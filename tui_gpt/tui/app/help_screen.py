"""F1: the keys of every tab and the symbols of the chart, on one page that scrolls; the current tab comes first."""

import itertools
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_gpt.key_table import HELP_SECTIONS, HelpRow
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap
from tui_gpt.tui.keys import key_binding, keymap_of

_KEY_WIDTH = 20
_SYMBOLS = (
    ("dim dots", "training loss, minimum to maximum"),
    ("bright line", "training loss, smoothed"),
    ("● ○", "validation loss; estimate on part of it"),
    ("‖ ▸ ◆ !", "paused, resumed, setting changed, problem"),
    ("▪ « ■", "checkpoint, rolled back, stopped early"),
    ("gap in the line", "a step that was not finite (NaN)"),
    ("dotted lines", "guessing; published losses on this text"),
)
"""The symbols of the chart."""


class HelpScreen(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("help.close", "dismiss", "Close", show=False)]

    def __init__(self, tab: str) -> None:
        super().__init__()
        self._tab = tab

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(help_text(self._tab, keymap_of(self)), markup=False)


def help_text(tab: str, keymap: Keymap = DEFAULT_KEYMAP) -> Text:
    """Return the page with the keys in use, with the sections of `tab` first."""
    text = Text()
    own = [section for section in HELP_SECTIONS if section.tab == tab]
    everywhere = [section for section in HELP_SECTIONS if not section.tab]
    for section in (*own, *everywhere, *(one for one in HELP_SECTIONS if one.tab and one.tab != tab)):
        _append(text, section.title, [(_keys_of(row, keymap), _words_of(row)) for row in section.rows])
        if section.tab == "train":
            _append(text, "The chart", _SYMBOLS)
    text.rstrip()
    return text


def _append(text: Text, title: str, lines: Sequence[tuple[str, str]]) -> None:
    text.append(f"{title}\n", "bold underline")
    for keys, words in lines:
        gap = f"\n{'':<{_KEY_WIDTH}}" if len(keys) >= _KEY_WIDTH else ""
        text.append(f"{keys:<{_KEY_WIDTH}}{gap}", "bold").append(f"{words}\n")
    text.append("\n")


def _keys_of(row: HelpRow, keymap: Keymap) -> str:
    """Return the keys of a line: the first of each action, then the second ones."""
    columns = itertools.zip_longest(*(keymap.all_shown(action.id) for action in row.actions), fillvalue="")
    return " ".join(filter(None, [*itertools.chain.from_iterable(columns), row.also]))


def _words_of(row: HelpRow) -> str:
    return row.words or "; ".join(dict.fromkeys(action.help for action in row.actions))
