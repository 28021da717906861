"""The table of models that may have written a text, with their scores; marked ones are scored, or all of them."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.generation.authorship import AuthorScore, Authorship
from tui_gpt.tui.generate.who_wrote.author_colours import AUTHOR_TONES, author_tone
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.text.wrap import glyphs

_HEAD_ROWS = 1
_NUMBER_CELLS = 11
_TONES = ("heading", "number", "here", *AUTHOR_TONES)


class AuthorsTable(Widget, can_focus=True):
    """Models with bits per character, perplexity per character, and the number of unknown characters."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"authors--{tone}" for tone in _TONES}
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("authors.above", "move(-1)", "Run", key_display="↑↓"),
        key_binding("authors.below", "move(1)", "Run", show=False),
        key_binding("authors.mark", "mark", "Mark", key_display="space"),
    ]

    class Moved(Message):
        """Another model is selected."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sources: list[str] = []
        self.marked: set[str] = set()
        self.place = 0
        """The selected model."""
        self._found: Authorship | None = None
        self._scored: list[str] = []

    @property
    def chosen(self) -> list[str]:
        """The marked models; all of them if none is marked."""
        return [source for source in self.sources if source in self.marked] or list(self.sources)

    @property
    def selected(self) -> str | None:
        """The selected model."""
        return self.sources[self.place] if self.sources else None

    def set_sources(self, sources: Sequence[str], marked: Collection[str] = ()) -> None:
        """List these models, some of which are marked."""
        self.sources = list(sources)
        self.marked = set(marked)
        self.place = 0
        self.refresh()

    def show_scores(self, sources: Sequence[str], found: Authorship | None) -> None:
        """Show the scores of these models; None while there are none."""
        self._scored, self._found = list(sources), found
        self.refresh()

    def action_move(self, by: int) -> None:
        """Select another model; the first and the last one stay."""
        if self.sources:
            self.place = min(max(self.place + by, 0), len(self.sources) - 1)
            self.post_message(self.Moved())
            self.refresh()

    def action_mark(self) -> None:
        """Mark the selected model, or remove its mark."""
        if self.selected is not None:
            self.marked ^= {self.selected}
            self.refresh()

    def on_focus(self) -> None:
        """Mark the selected row."""
        self.refresh()

    def on_blur(self) -> None:
        """Unmark it."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the clicked model; mark it if it is selected already."""
        place = event.y - _HEAD_ROWS + self._top
        if event.y >= _HEAD_ROWS and place < len(self.sources):
            if place == self.place:
                self.action_mark()
            self.action_move(place - self.place)

    @property
    def _top(self) -> int:
        return max(0, self.place + 1 - max(1, self.size.height - _HEAD_ROWS))

    def render_line(self, y: int) -> Strip:
        """Draw the headings or a model."""
        segments = [Segment(text, self.get_component_rich_style(f"authors--{tone}")) for text, tone in self._row(y)]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    @property
    def _columns(self) -> int:
        """The number of columns that fit beside the name."""
        return 3 if self.size.width >= 56 else 2 if self.size.width >= 40 else 1

    def _row(self, y: int) -> list[tuple[str, str]]:
        name_cells = max(8, min(40, self.size.width - 4 - _NUMBER_CELLS * self._columns))
        if y < _HEAD_ROWS:
            headings = ("bits/char", "perplexity", "unknown")[: self._columns]
            words = "".join(fitted(one, _NUMBER_CELLS, to_the_right=True) for one in headings)
            return [(fitted("    model", name_cells + 4) + words, "heading")]
        place = y - _HEAD_ROWS + self._top
        if place >= len(self.sources):
            return []
        source, score = self.sources[place], self._score(self.sources[place])
        mark = "●" if source in self.marked else " "
        star = "★" if score is not None and self._is_best(source) else " "
        name = fitted(glyphs(source), name_cells)
        tone = author_tone(self._scored.index(source)) if source in self._scored else "number"
        here = "here" if self.has_focus and place == self.place else tone
        return [(f"{mark}{star}  ", "number"), (name, here), (self._numbers(score), "number")]

    def _score(self, source: str) -> AuthorScore | None:
        if self._found is None or source not in self._scored:
            return None
        return self._found.scores[self._scored.index(source)]

    def _is_best(self, source: str) -> bool:
        return self._found is not None and self._found.best == self._scored.index(source)

    def _numbers(self, score: AuthorScore | None) -> str:
        if score is None:
            return ""
        if score.problem:
            return "  " + fitted(glyphs(score.problem), max(1, _NUMBER_CELLS * self._columns - 2))
        shown = [
            "…" if score.bits_per_char is None else f"{score.bits_per_char:.3f}",
            "" if score.perplexity is None else f"{score.perplexity:.2f}",
            f"{score.unknown_count:,}",
        ]
        return "".join(fitted(one, _NUMBER_CELLS, to_the_right=True) for one in shown[: self._columns])
