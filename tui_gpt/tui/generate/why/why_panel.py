"""The panel beside the text that explains the prediction at the text cursor, or shows what attention looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_gpt.tui.generate.lookup import Prediction
from tui_gpt.tui.generate.why.attention_rows import attention_rows
from tui_gpt.tui.generate.why.attention_view import (
    LOOKED_TONES,
    AttentionChoice,
    Axis,
    looked_at,
    sizes,
    weights_by_character,
)
from tui_gpt.tui.generate.why.rows import KEY, MUTED, Row
from tui_gpt.tui.generate.why.why_rows import why_rows
from tui_gpt.tui.keys import keymap_of

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Attention

Page = Literal["alternatives", "why", "attention"]

_SWATCHES = dict(
    zip(
        LOOKED_TONES,
        (
            "$text-accent underline",
            "$text-accent on $accent-muted",
            "$text-accent on $accent-muted bold underline",
            "$background on $text-accent bold",
        ),
        strict=True,
    )
)
"""The tones of characters that were looked at, as in `CardList`."""


class WhyPanel(VerticalScroll, can_focus=False):
    """Rows about one prediction."""

    DEFAULT_CSS = """
    WhyPanel {
        display: none;
        width: 34;
        height: 1fr;
        padding: 0 0 0 1;
        border-left: solid $panel;
        scrollbar-size-vertical: 1;
        & Static { width: 1fr; color: $text-muted; }
    }
    """

    def compose(self) -> ComposeResult:
        """Lay out the rows."""
        yield Static("", id="why")

    def __init__(self) -> None:
        super().__init__()
        self.page: Page = "alternatives"
        """What is shown; of `alternatives` this panel shows nothing."""
        self._choice = AttentionChoice()
        self._prediction: Prediction | None = None
        self._before = ""
        """The text before the character that the prediction is about."""

    def turn_to(self, page: Page) -> None:
        """Show another page."""
        self.page = page
        self._draw()

    def explain(self, prediction: Prediction, before: str) -> None:
        """Show why the character after the text `before` was predicted."""
        self._prediction, self._before = prediction, before
        self._draw()

    def forget(self) -> None:
        """Drop the prediction: the next one is about another text."""
        self._prediction = None
        self._show_words("computing …")

    def choose_next(self, axis: Axis) -> None:
        """Show the attention of the next network, layer or head."""
        if self._attention is not None:
            self._choice = self._choice.next(axis, sizes(self._attention)[axis])
            self._draw()

    def toggle_first(self) -> None:
        """Leave the first position out of the attention, or show it again."""
        self._choice = replace(self._choice, skips_first=not self._choice.skips_first)
        self._draw()

    @property
    def marks(self) -> Mapping[int, str]:
        """The tones of the characters that attention looked at, where it is shown."""
        if self._attention is None or self.page != "attention":
            return {}
        return looked_at(weights_by_character(self._attention, self._choice))

    def set_waiting(self, words: str) -> None:
        """Show for how long the first prediction has been computed."""
        if self._prediction is None:
            self._show_words(f"computing …{words}")

    @property
    def _attention(self) -> Attention | None:
        explanation = self._prediction.explanation if self._prediction else None
        return explanation.attention if explanation else None

    def _draw(self) -> None:
        prediction = self._prediction
        if self.page == "alternatives" or prediction is None:
            return
        if prediction.explanation is None:
            self._show_words(prediction.error)
        elif self.page == "attention":
            self._show_rows(attention_rows(prediction.explanation, self._before, self._choice))
        else:
            self._show_rows(why_rows(prediction.explanation, prediction.token, prediction.nearest))

    def _show_rows(self, rows: Sequence[Row]) -> None:
        lines = [Content.assemble(*(self._styled(words, style) for words, style in row)) for row in rows]
        self.query_one("#why", Static).update(Content("\n").join(lines))

    def _styled(self, words: str, style: str) -> tuple[str, str]:
        if style == KEY:
            return keymap_of(self).shown(words), MUTED
        return words, _SWATCHES.get(style, style)

    def _show_words(self, words: str) -> None:
        self.query_one("#why", Static).update(Content(words))
