"""Two texts side by side as a block of a `TextView`; the first character that differs is marked in both."""

from collections.abc import Sequence
from itertools import repeat
from typing import ClassVar

from rich.segment import Segment

from tui_gpt.tui.text.passage import Look, Passage
from tui_gpt.tui.text.text_view import TextView

_GAP = 3


class TwoTexts:
    """A prompt and two continuations of it."""

    def __init__(self, prompt: str = "") -> None:
        self._prompt = len(prompt)
        self.passages = (Passage(), Passage())
        for passage in self.passages:
            passage.append(prompt, "prompt")
        self.mark: int | None = None
        """The index of the first different character after the prompt."""
        self._width = 2

    def grow(self, texts: Sequence[str]) -> None:
        """Append to each side."""
        for passage, text in zip(self.passages, texts, strict=True):
            passage.append(text, "same" if self.mark is None else "written")

    def set_mark(self, index: int) -> None:
        """Mark the first different character."""
        self.mark = index
        for passage in self.passages:
            after = max(0, len(passage) - self._prompt - index)
            passage.repaint(self._prompt + index, ["different", *repeat("written", after - 1)][:after])

    def height(self, width: int) -> int:
        """Return the number of rows."""
        self._width = max(2, (width - _GAP) // 2)
        return max(passage.height(self._width) for passage in self.passages)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of a row of both sides."""
        del width
        left, right = (passage.draw(row, look) if row < len(passage.rows) else [] for passage in self.passages)
        free = self._width - sum(segment.cell_length for segment in left)
        return [*left, Segment(" " * max(0, free), look("written")), Segment(" │ ", look("edge")), *right]


class TwoTextsView(TextView):
    """The texts of both sides, which scroll together."""

    TONES = ("prompt", "same", "written", "different", "edge")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    TwoTextsView {
        & .text-view--prompt { color: $text-primary; text-style: bold; }
        & .text-view--same { color: $text-muted; }
        & .text-view--written { color: $foreground; }
        & .text-view--different { color: $text-error; background: $error-muted; text-style: bold; }
        & .text-view--edge { color: $panel; }
    }
    """
