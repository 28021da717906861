"""A card of the notebook as rows: what was given and what was written, and in quiet lines how it was made.

It draws and remembers no more than it is told; what is true is in the notebook. Beside the shown answer it can lay the
others in columns, and it can colour each character by how likely the model thought it.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Literal

from rich.segment import Segment

from tui_gpt.eta import format_rate
from tui_gpt.notebook import Answer, Card
from tui_gpt.tui.widgets.text_view import Look, Passage
from tui_gpt.tui.wrap import Wrapped, glyphs

Stage = Literal["", "opening", "writing"]
Note = tuple[str, str]
"""A line under the text, and its tone."""

_LIKELY_LEAST = ((0.8, "likely-0"), (0.4, "likely-1"), (0.1, "likely-2"), (0.02, "likely-3"))
LIKELY_TONES = ("likely-0", "likely-1", "likely-2", "likely-3", "likely-4")
"""From what the model was sure of to what surprised it."""

_RAIL = 2
"""Cells left of everything: the card's edge and a gap."""
_GAP = 3
"""Cells between two columns."""
_LEAST_COLUMN = 24


def likely_tone(logprob: float) -> str:
    """The tone of a character to which the model gave this probability; `written` where it is not known."""
    if math.isnan(logprob):
        return "written"
    probability = math.exp(min(logprob, 0.0))
    return next((tone for least, tone in _LIKELY_LEAST if probability >= least), LIKELY_TONES[-1])


class AnswerColumn:
    """The text of one answer."""

    def __init__(self, answer: Answer, thoughts: bool) -> None:
        self.answer = answer
        self.passage = Passage()
        self.passage.append(answer.prompt, "prompt")
        self.passage.append(answer.kept + answer.text, "written")
        self._logprobs = list(answer.logprobs)
        self._thoughts = thoughts
        if thoughts:
            self.think(True)

    def grow(self, text: str, logprobs: Sequence[float]) -> int:
        """Let the text grow; the first row that changed."""
        start = len(self.passage)
        row = self.passage.append(text, "written")
        self._logprobs.extend(logprobs)
        if self._thoughts:
            self.passage.repaint(start, map(likely_tone, logprobs))
        return row

    def think(self, thoughts: bool) -> None:
        """Colour the characters by their probabilities, or not."""
        self._thoughts = thoughts
        start = len(self.answer.prompt)
        plain = repeat("written", len(self.passage) - start)
        self.passage.repaint(start, map(likely_tone, self._logprobs) if thoughts else plain)


class CardBlock:
    """The rows of one card."""

    def __init__(self, card: Card, *, thoughts: bool = False) -> None:
        self.card = card
        self.thoughts = thoughts
        self.selected = False
        self.stage: Stage = ""
        self.side_by_side = False
        self.columns: list[AnswerColumn] = []
        self._width = 0
        self._notes: list[Note] = []
        self.show(card)

    def show(self, card: Card) -> None:
        """Draw this card from now on."""
        kept = {column.answer.id: column for column in self.columns}
        self.card = card
        self.columns = [self._column(answer, kept) for answer in self._shown_answers()]

    def _column(self, answer: Answer, kept: dict[str, AnswerColumn]) -> AnswerColumn:
        column = kept.get(answer.id)
        if column is None or len(column.passage) != len(answer.full) or column.answer.prompt != answer.prompt:
            return AnswerColumn(answer, self.thoughts)
        column.answer = answer
        return column

    def _shown_answers(self) -> Sequence[Answer]:
        answers = self.card.answers
        if not self.side_by_side or len(answers) < 2:
            return (self.card.answer,)
        first = max(0, min(self.card.shown, len(answers) - self._places()))
        return answers[first : first + self._places()]

    def _places(self) -> int:
        """How many answers have room beside each other."""
        return max(1, (self._width - _RAIL) // (_LEAST_COLUMN + _GAP))

    @property
    def main(self) -> AnswerColumn:
        """The column of the shown answer."""
        return next(column for column in self.columns if column.answer.id == self.card.answer.id)

    def grow(self, answer: Answer, text: str, logprobs: Sequence[float]) -> int:
        """Let the answer of that name grow; the first row that changed."""
        return min((column.grow(text, logprobs) for column in self.columns if column.answer.id == answer.id), default=0)

    def think(self, thoughts: bool) -> None:
        """Colour the characters by their probabilities, or not."""
        self.thoughts = thoughts
        for column in self.columns:
            column.think(thoughts)

    def lay_side_by_side(self, side_by_side: bool) -> None:
        """Lay several answers beside each other, or show one."""
        self.side_by_side = side_by_side
        self.show(self.card)

    def character_at(self, row: int, column: int) -> int:
        """The character of the shown answer at a row and column of the card."""
        return self.main.passage.rows.index_at(row, column - _RAIL)

    # As a block of a TextView

    def height(self, width: int) -> int:
        """Text, notes and a row between cards."""
        if width != self._width:
            self._width = width
            self.columns = self.columns if not self.side_by_side else []
            self.show(self.card)
        self._notes = list(self._note_rows(max(8, width - _RAIL)))
        return self._text_rows() + len(self._notes) + 1

    def _text_rows(self) -> int:
        width = self._column_width()
        return max(column.passage.height(width) for column in self.columns)

    def _column_width(self) -> int:
        count = len(self.columns)
        return max(2, (self._width - _RAIL - 1 - _GAP * (count - 1)) // count)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """One row with the card's edge at its left."""
        text_rows = max(len(column.passage.rows) for column in self.columns)
        if row >= text_rows + len(self._notes):
            return [Segment(" " * width, look("written"))]
        edge = Segment("▌ ", look("edge-selected" if self.selected else "edge"))
        if row < text_rows:
            return [edge, *self._text_row(row, look)]
        text, tone = self._notes[row - text_rows]
        return [edge, Segment(text, look(tone))]

    def _text_row(self, row: int, look: Look) -> Iterator[Segment]:
        for number, column in enumerate(self.columns):
            drawn = column.passage.draw(row, look) if row < len(column.passage.rows) else []
            if self.stage == "writing" and column is self.main and row == len(column.passage.rows) - 1:
                drawn.append(Segment("▍", look("pen")))
            yield from drawn
            if number + 1 < len(self.columns):
                room = self._column_width() + _GAP - sum(segment.cell_length for segment in drawn)
                yield Segment(" " * max(0, room - 2), look("written"))
                yield Segment("│ ", look("meta"))

    # Notes

    def _note_rows(self, width: int) -> Iterator[Note]:
        answer = self.card.answer
        if answer.left_out:
            signs = " ".join(glyphs(answer.left_out[:20]))
            yield from _wrapped(f"left out, for the model has never seen it: {signs}", "notice", width)
        if answer.error:
            yield from _wrapped(f"✗ {answer.error}", "error", width)
        yield from _joined(self._facts(answer), width)

    def _facts(self, answer: Answer) -> Iterator[str]:
        """How it was made, in words that stay together."""
        count = len(self.card.answers)
        if count > 1:
            yield f"‹ {self.card.shown + 1}/{count} ›"
        if self.stage == "opening":
            yield f"opening {answer.source or 'the newest model'} …"
            return
        if answer.model:
            yield f"{answer.model} · step {answer.step:,}" if answer.step else answer.model
        if answer.kind == "written" and (answer.model or answer.text):
            yield from _settings(answer)
        written = len(self.main.passage) - len(answer.given) if self.stage == "writing" else len(answer.text)
        yield f"{written:,} characters"
        if answer.kind == "written" and answer.seconds > 0.0 and written > 1 and self.stage != "writing":
            yield format_rate(written / answer.seconds)
        if (self.thoughts or answer.kind == "measured") and (bits := answer.bits_per_char) is not None:
            yield f"{bits:.2f} bits a character"
        if self.stage == "writing":
            yield "writing …"
        elif answer.stopped:
            yield "stopped"


def _settings(answer: Answer) -> Iterator[str]:
    config = answer.config
    yield f"seed {config.seed}"
    yield f"temperature {config.temperature:g}"
    if config.top_k:
        yield f"top-k {config.top_k}"
    if config.top_p < 1.0:
        yield f"top-p {config.top_p:g}"
    if config.min_p:
        yield f"min-p {config.min_p:g}"


def _wrapped(text: str, tone: str, width: int) -> Iterator[Note]:
    return ((row.rstrip(), tone) for row in Wrapped(glyphs(text).replace("\n", " "), width).rows())


def _joined(facts: Iterator[str], width: int) -> Iterator[Note]:
    """Facts in as few rows as they need, none torn apart where it fits."""
    row = ""
    for fact in chain(map(glyphs, facts), ("",)):
        longer = f"{row} · {fact}" if row and fact else row or fact
        if fact and len(longer) <= width:
            row = longer
            continue
        if row:
            yield from _wrapped(row, "meta", width)
        row = fact
