"""A text broken into rows of a given width, kept up to date while the text grows.

A row is a slice of the text, so the rows joined are the text again and every character has one place on the screen. A
row ends after the last space that fits (that space may hang over the edge, unseen), after a line break, or within a
word that is too long. Where a row ends depends only on the text up to the first character that does not fit, so a
growing text changes only its last row. Styles are not handled here; the text must have been made safe by `glyphs`.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from rich.cells import get_character_cell_size

from tui_gpt.escaping import escape_controls

MIN_WIDTH = 2
"""The narrowest row, in cells: a wide character must fit."""

_REPLACEMENTS: Mapping[int, str | int] = {0x09: "→", 0x200D: 0x2060, 0xFE0F: 0xFE00}
"""A tab has no fixed width; joiners change the width of their neighbours, and their replacements do not."""


def glyphs(text: str) -> str:
    """Return `text` with each character replaced by one that is safe for a terminal and of constant width."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return escape_controls(text).translate(_REPLACEMENTS)


class Wrapped:
    """The rows of a text, each at most `width` cells wide without its line break or one hanging space."""

    def __init__(self, text: str = "", width: int = 80) -> None:
        self._text = text
        self._width = max(MIN_WIDTH, width)
        self._starts = [0]
        self._wrap_last()

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text

    @property
    def width(self) -> int:
        """The widest row, in cells."""
        return self._width

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, text: str) -> int:
        """Append `text`; return the first row that changed."""
        if not text:
            return len(self._starts)
        changed = len(self._starts) - 1
        self._text += text
        self._wrap_last()
        return changed

    def set_width(self, width: int) -> bool:
        """Wrap the text to another width; return whether the width changed."""
        width = max(MIN_WIDTH, width)
        if width == self._width:
            return False
        self._width = width
        self._starts = [0]
        self._wrap_last()
        return True

    def span(self, row: int) -> tuple[int, int]:
        """Return where a row begins and ends in the text."""
        end = self._starts[row + 1] if row + 1 < len(self._starts) else len(self._text)
        return self._starts[row], end

    def row(self, row: int) -> str:
        """Return the characters of a row, with its line break or hanging space."""
        start, end = self.span(row)
        return self._text[start:end]

    def rows(self) -> Iterator[str]:
        """Iterate over all rows."""
        return map(self.row, range(len(self)))

    def row_of(self, index: int) -> int:
        """Return the row of the character at `index`."""
        return bisect_right(self._starts, index) - 1

    def cell_of(self, index: int) -> tuple[int, int]:
        """Return the row and column, in cells, of the character at `index`; a hanging space is in the last column."""
        row = self.row_of(index)
        column = _cells(self._text[self._starts[row] : index])
        return row, min(column, self._width - 1)

    def index_at(self, row: int, column: int) -> int:
        """Return the index of the character at a row and column; beyond the row's end, of its last character."""
        start, end = self.span(min(max(row, 0), len(self) - 1))
        for index in range(start, end):
            column -= get_character_cell_size(self._text[index])
            if column < 0:
                return index
        return max(start, end - 1)

    def _wrap_last(self) -> None:
        """Break the last row, whose start is fixed, and the text after it."""
        text, width, starts = self._text, self._width, self._starts
        length = len(text)
        start = starts[-1]
        while start < length:
            start = _row_end(text, start, width)
            if start < length or text[start - 1] == "\n":
                starts.append(start)


def _row_end(text: str, start: int, width: int) -> int:
    """Return where the row from `start` ends, which is the start of the next."""
    limit = start + width
    line_break = text.find("\n", start, limit + 1)
    ahead = text[start : limit + 1] if line_break < 0 else text[start:line_break]
    overflow = limit if ahead.isascii() else _first_overflow(text, start, width)
    if 0 <= line_break <= overflow:
        return line_break + 1
    if overflow >= len(text):
        return len(text)
    if text[overflow] == "\n":
        return overflow + 1
    if text[overflow] == " ":
        return overflow + 1 + (text[overflow + 1 : overflow + 2] == "\n")
    space = text.rfind(" ", start, overflow)
    if space >= start and not text[start : space + 1].isspace():
        return space + 1
    return max(overflow, start + 1)


def _first_overflow(text: str, start: int, width: int) -> int:
    """Return the first character that does not fit into a row from `start` or ends its line, or the text's length."""
    free = width
    for index in range(start, len(text)):
        if text[index] == "\n":
            return index
        free -= get_character_cell_size(text[index])
        if free < 0:
            return index
    return len(text)


def _cells(text: str) -> int:
    return len(text) if text.isascii() else sum(map(get_character_cell_size, text))
