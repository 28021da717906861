"""A card of the notebook as rows: what was given and what was written, and in quiet lines how it was made.

It draws and remembers no more than it is told; what is true is in the notebook. Beside the shown answer it can lay the
others in columns, and it can colour each character by how likely the model thought it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Literal

from rich.segment import Segment

from tui_gpt.formatting import format_rate
from tui_gpt.metrics import COPIED_LENGTH
from tui_gpt.tui.generate.notebook import Answer, Card, Change, sampling_notes
from tui_gpt.tui.generate.text_view import Look, Passage
from tui_gpt.tui.generate.wrap import Wrapped, glyphs

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
_TELLING_SECONDS = 0.3
"""How long a pace has to be watched before it is told."""


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

    def shows(self, answer: Answer) -> bool:
        """Whether this is what `answer` looks like."""
        is_whole = len(self.passage) == len(answer.full)
        return is_whole and self._logprobs[-1:] == list(answer.logprobs[-1:]) and self.answer.given == answer.given

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
        """How far the answers are that are being written."""
        self.pens: Mapping[str, float] = {}
        """Those answers, and the seconds each has taken."""
        self.waiting = ""
        """What they wait for, or for how long, before their first character."""
        self.side_by_side = False
        self.columns: list[AnswerColumn] = []
        """Those of the answers that are seen."""
        self._drawn: dict[str, AnswerColumn] = {}
        """Those and others that were seen or grow, by the answer's id: what grows is nowhere else before it is done."""
        self._width = 0
        self._notes: list[list[Note]] = []
        self.show(card)

    def show(self, card: Card) -> int:
        """Draw this card from now on; the first row that may look different."""
        before, self.card = self.columns, card
        self._drawn = {answer.id: self._column(answer) for answer in card.answers if answer.id in self._drawn}
        self.columns = [self._column(answer) for answer in self._shown_answers()]
        return self.last_text_row if before == self.columns else 0

    def _column(self, answer: Answer) -> AnswerColumn:
        """The column of an answer; one that is being written is ahead of the notebook."""
        column = self._drawn.get(answer.id)
        if column is not None and answer.id in self.pens:
            return column
        if column is None or not column.shows(answer):
            column = self._drawn[answer.id] = AnswerColumn(answer, self.thoughts)
        column.answer = answer
        return column

    def _shown_answers(self) -> Sequence[Answer]:
        answers = self.card.answers
        if not self.side_by_side or len(answers) < 2:
            return (self.card.answer,)
        places = max(1, (self._width - _RAIL) // (_LEAST_COLUMN + _GAP))
        first = max(0, min(self.card.shown, len(answers) - places))
        return answers[first : first + places]

    @property
    def main(self) -> AnswerColumn:
        """The column of the shown answer."""
        return next(column for column in self.columns if column.answer.id == self.card.answer.id)

    def grow(self, answer_id: str, text: str, logprobs: Sequence[float]) -> int:
        """Let the answer of that name grow; the first row that changed."""
        column = self._column_named(answer_id)
        row = column.grow(text, logprobs)
        return row if column in self.columns else self.last_text_row

    def tell(self, answer_id: str, changes: Sequence[Change]) -> None:
        """Settings were changed while the answer of that name is being written."""
        column = self._column_named(answer_id)
        column.answer = replace(column.answer, changes=(*column.answer.changes, *changes))

    def _column_named(self, answer_id: str) -> AnswerColumn:
        return self._column(next(answer for answer in self.card.answers if answer.id == answer_id))

    def think(self, thoughts: bool) -> None:
        """Colour the characters by their probabilities, or not."""
        self.thoughts = thoughts
        for column in self._drawn.values():
            column.think(thoughts)

    def lay_side_by_side(self, side_by_side: bool) -> None:
        """Lay several answers beside each other, or show one."""
        self.side_by_side = side_by_side
        self.show(self.card)

    def character_at(self, row: int, column: int) -> int:
        """The character of the shown answer at a row and column of the card."""
        return self.main.passage.rows.index_at(row, column - _RAIL)

    def turn_at(self, row: int, column: int) -> int:
        """-1 or 1 where an arrow to another answer is drawn, else 0."""
        row -= self._text_rows
        if len(self.columns) > 1 or not 0 <= row < len(self._notes[0]):
            return 0
        sign = self._notes[0][row][0][column - _RAIL : column - _RAIL + 1] if column >= _RAIL else ""
        return {"‹": -1, "›": 1}.get(sign, 0)

    # As a block of a TextView

    def height(self, width: int) -> int:
        """Text, notes and a row between cards."""
        if width != self._width:
            self._width = width
            self.show(self.card)
        column_width = self._column_width
        for column in self.columns:
            column.passage.height(column_width)
        self._notes = [list(self._note_rows(column, max(8, column_width))) for column in self.columns]
        return self._text_rows + max(map(len, self._notes)) + 1

    @property
    def last_text_row(self) -> int:
        """The first in which an answer may end, with a pen; above it is nothing but their text."""
        return max(0, min(len(column.passage.rows) for column in self.columns) - 1)

    @property
    def _text_rows(self) -> int:
        return max(len(column.passage.rows) for column in self.columns)

    @property
    def _column_width(self) -> int:
        count = len(self.columns)
        return max(2, (self._width - _RAIL - 1 - _GAP * (count - 1)) // count)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """One row with the card's edge at its left."""
        text_rows = self._text_rows
        if row >= text_rows + max(map(len, self._notes)):
            return [Segment(" " * width, look("written"))]
        drawn = [Segment("▌ ", look("edge-selected" if self.selected else "edge"))]
        for number, column in enumerate(self.columns):
            cell = self._text_cell(column, row, look) if row < text_rows else self._note_cell(number, row, look)
            drawn += cell
            if number + 1 < len(self.columns):
                room = self._column_width + _GAP - 2 - sum(segment.cell_length for segment in cell)
                drawn += [Segment(" " * max(0, room), look("written")), Segment("│ ", look("edge"))]
        return drawn

    def _text_cell(self, column: AnswerColumn, row: int, look: Look) -> list[Segment]:
        last = len(column.passage.rows) - 1
        if row > last:
            return []
        drawn = column.passage.draw(row, look)
        if row == last and self.stage == "writing" and column.answer.id in self.pens:
            drawn.append(Segment("▍", look("pen")))
        return drawn

    def _note_cell(self, number: int, row: int, look: Look) -> list[Segment]:
        notes = self._notes[number]
        row -= self._text_rows
        return [Segment(notes[row][0], look(notes[row][1]))] if row < len(notes) else []

    # Notes

    def _note_rows(self, column: AnswerColumn, width: int) -> Iterator[Note]:
        answer = column.answer
        if answer.left_out:
            signs = " ".join(glyphs(answer.left_out[:20]))
            yield from _wrapped(f"left out, for the model has never seen it: {signs}", "notice", width)
        if answer.error:
            yield from _wrapped(f"✗ {answer.error}", "error", width)
        is_main = len(self.columns) > 1 and answer.id == self.card.answer.id
        yield from _joined(self._facts(column), width, "meta-shown" if is_main else "meta")

    def _facts(self, column: AnswerColumn) -> Iterator[str]:
        """How it was made, in words that stay together."""
        answer, count = column.answer, len(self.card.answers)
        if count > 1:
            number = 1 + next(k for k, one in enumerate(self.card.answers) if one.id == answer.id)
            yield f"‹ {number}/{count} ›" if answer.id == self.card.answer.id else f"{number}/{count}"
        writing = answer.id in self.pens
        if writing and self.stage == "opening":
            yield f"opening {answer.source or 'the newest model'} …{self.waiting}"
            return
        if answer.model:
            yield answer.model
        if answer.step:
            yield f"step {answer.step:,}"
        if answer.kind == "written" and (answer.model or answer.text):
            yield from sampling_notes(answer)
        written = len(column.passage) - len(answer.given) if writing else len(answer.text)
        yield f"{written:,} characters"
        if answer.copied is not None:
            yield f"{answer.copied:.1%} copied in pieces of {COPIED_LENGTH}+"
        seconds = self.pens[answer.id] if writing else answer.seconds
        if answer.kind == "written" and written > 1 and seconds > (_TELLING_SECONDS if writing else 0.0):
            yield format_rate(written / seconds)
        if (self.thoughts or answer.kind == "measured") and (bits := answer.bits_per_char) is not None:
            yield f"{bits:.2f} bits a character"
        if writing:
            yield ("writing …" if answer.kind == "written" else "reading …") + self.waiting
        elif answer.stopped:
            yield "stopped"


def _wrapped(text: str, tone: str, width: int) -> Iterator[Note]:
    return ((row.rstrip(), tone) for row in Wrapped(glyphs(text).replace("\n", " "), width).rows())


def _joined(facts: Iterator[str], width: int, tone: str) -> Iterator[Note]:
    """Facts in as few rows as they need, none torn apart where it fits."""
    row = ""
    for fact in map(glyphs, facts):
        longer = f"{row} · {fact}" if row else fact
        if row and len(longer) > width:
            yield from _wrapped(row, tone, width)
            longer = fact
        row = longer
    yield from _wrapped(row, tone, width)
