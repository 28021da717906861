"""Screen 1: a text is a row of numbers."""

from dataclasses import dataclass

from textual.content import Content

from tui_gpt.tui.learn.drawing import Part, joined, padded, visible
from tui_gpt.tui.learn.page import LessonPage

_ENTRY_CELLS = 6
_LETTER_CELLS = 4
_TALL, _LINES = 36, 5
"""Lines of the text that are shown on a screen of that height; one on a lower one."""


@dataclass(frozen=True)
class Numbered:
    """A short text with its numbers; -1 for a character that has none."""

    text: str
    numbers: tuple[int, ...]


class CharactersPage(LessonPage[Numbered]):
    """The alphabet with its numbers, and a line of text as numbers."""

    TITLE = "Characters as numbers"
    USES = frozenset({"again", "type"})
    PLACEHOLDER = "your own words, then Enter"

    _line = 0
    """The line of the text that is shown while nothing is typed."""

    def compute(self) -> Numbered:
        """Look up the numbers of the reader's text, or of a line of the lesson's text."""
        text = self.typed or self._some_line()
        return Numbered(text, tuple(self.material.tokenizer.lookup(text).tolist()))

    def _some_line(self) -> str:
        lines = [line for line in self.material.text.text[:4_000].split("\n") if line.strip()]
        at = self._line % len(lines)
        return "\n".join(lines[at : at + (1 if self.app.size.height < _TALL else _LINES)])

    def again(self) -> None:
        """Show the next line of the text."""
        self._line += 1
        self.typed = ""
        self.recompute()

    def words(self, data: Numbered) -> Content:
        """Explain the alphabet."""
        del data
        text, tokenizer = self.material.text, self.material.tokenizer
        example = max(self.material.frequencies, key=lambda c: (c.isalpha(), self.material.frequencies[c]))
        number = tokenizer.characters.index(example)
        return Content.assemble(
            "A computer calculates with numbers. So each character gets a number. The text of this lesson has ",
            (f"{text.characters:,}", "bold"), " characters, but only ", (f"{tokenizer.vocab_size:,}", "bold"),
            f" different ones, numbered from 0 to {tokenizer.vocab_size - 1:,}: here {visible(example)} is number ",
            (f"{number}", "bold"), ". A space and the end of a line (↵) are characters, too. From now on, the text is "
            "a row of numbers, and the task is always the same: predict the next one.",
        )  # fmt: skip

    def draw(self, data: Numbered, width: int, height: int) -> Content:
        """Draw the alphabet, and below it the text with its numbers."""
        below = _reader_lines(data, width, 2 if height < 20 else 8)
        rows = max(1, height - len(below) - 1)
        return joined([*self._alphabet(set(data.text), width, rows), [""], *below])

    def _alphabet(self, marked: set[str], width: int, rows: int) -> list[list[Part]]:
        characters = self.material.tokenizer.characters
        digits = len(str(len(characters) - 1))
        cells = _ENTRY_CELLS + max(0, digits - 2)
        columns = max(1, width // cells)
        shown = characters if len(characters) <= columns * rows else characters[: columns * (rows - 1)]
        entries: list[Part] = []
        for number, character in enumerate(shown):
            entry = f"{padded(visible(character), 2)}{number:>{digits}}"
            entries.append((padded(entry, cells), "bold $text-accent" if character in marked else "$foreground"))
        lines = [entries[at : at + columns] for at in range(0, len(entries), columns)]
        rest = len(characters) - len(shown)
        return [*lines, [(f"and {rest:,} more", "dim")]] if rest else lines

    def hint(self) -> str:
        """Return what to try."""
        unknown = self.material.tokenizer.unknown(self.typed)
        if unknown:
            return f"No number: {visible(unknown)}. That is not in this text, so a model of this text cannot read it."
        return "{learn.type}: type your name and read its numbers. {learn.again}: another line of the text."


def _reader_lines(data: Numbered, width: int, most: int) -> list[list[Part]]:
    """Return pairs of lines: characters, and their numbers below them."""
    columns = max(1, width // _LETTER_CELLS)
    lines: list[list[Part]] = []
    pairs = list(zip(data.text, data.numbers, strict=True))
    for at in range(0, min(len(pairs), most * columns), columns):
        row = pairs[at : at + columns]
        shown = "".join(padded(visible(character), _LETTER_CELLS, to_the_right=True) for character, _ in row)
        numbers = [padded("–" if n < 0 else f"{n}", _LETTER_CELLS, to_the_right=True) for _, n in row]
        lines += [[(shown, "bold")], [("".join(numbers), "$text-accent")]]
    return lines
