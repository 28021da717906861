"""A text with a tone for each character, which scrolls."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment

from tui_gpt.tui.generate.who_wrote.author_colours import AUTHOR_TONES, BETTER, SAME, WORSE
from tui_gpt.tui.text.passage import Look, Passage
from tui_gpt.tui.text.text_view import TextView


class _Coloured:
    """A passage as a block."""

    def __init__(self, text: str, tones: Sequence[str]) -> None:
        self._passage = Passage()
        self._passage.append(text, SAME)
        self._passage.repaint(0, tones)

    def height(self, width: int) -> int:
        """Return the number of rows."""
        return self._passage.height(width)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of one row."""
        del width
        return self._passage.draw(row, look)


class ColouredText(TextView):
    """One text."""

    TONES = (*AUTHOR_TONES, BETTER, SAME, WORSE)
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}

    def show_text(self, text: str, tones: Sequence[str]) -> None:
        """Show a text."""
        self.show([_Coloured(text, tones)])
