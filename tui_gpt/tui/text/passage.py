"""A wrapped text with a tone for each character and an optional cursor: the body of a block in a `TextView`."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from rich.segment import Segment
from rich.style import Style

from tui_gpt.tui.text.wrap import Wrapped, glyphs

Look = Callable[[str], Style]
"""Returns the style of a tone, e.g. `prompt` or `meta`."""


class Passage:
    """A text that grows at its end."""

    def __init__(self) -> None:
        self._wrapped = Wrapped()
        self._tones = bytearray()
        self._names: list[str] = []
        self.cursor: int | None = None
        self.marks: Mapping[int, str] = {}
        """Tones that take the place of others for a while, by the index of the character."""
        self.tinted: Mapping[int, str] = {}
        """Other tones of some characters, e.g. of words that were found."""

    def __len__(self) -> int:
        return len(self._tones)

    @property
    def rows(self) -> Wrapped:
        """The text broken into rows."""
        return self._wrapped

    def append(self, text: str, tone: str) -> int:
        """Append `text`; return the first row that changed."""
        self._tones.extend(bytes((self._tone(tone),)) * len(text))
        return self._wrapped.append(glyphs(text))

    def repaint(self, start: int, tones: Iterable[str]) -> None:
        """Set the tones of the characters from `start` on."""
        painted = bytes(map(self._tone, tones))
        self._tones[start : start + len(painted)] = painted

    def height(self, width: int) -> int:
        """Wrap the text to `width` cells; return the number of rows."""
        self._wrapped.set_width(width)
        return len(self._wrapped)

    def draw(self, row: int, look: Look) -> list[Segment]:
        """Return the segments of one row."""
        start, end = self._wrapped.span(row)
        text = self._wrapped.text[start:end]
        segments = []
        for tone, run in groupby(range(start, end), self._tone_at):
            positions = list(run)
            piece = text[positions[0] - start : positions[-1] + 1 - start]
            piece = piece.replace("\n", "↵" if tone == "cursor" or positions[0] in self.marks else "")
            segments.append(Segment(piece, look(tone)))
        return list(Segment.adjust_line_length(segments, self._wrapped.width, pad=False))

    def _tone(self, name: str) -> int:
        """Return the number of a tone."""
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def _tone_at(self, index: int) -> str:
        if index == self.cursor:
            return "cursor"
        return self.marks.get(index) or self.tinted.get(index) or self._names[self._tones[index]]
