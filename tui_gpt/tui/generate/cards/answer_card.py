"""A card of the notebook as rows: prompt and generated text, and muted notes on how it was generated.

A block only draws; the notebook holds the truth. It can show several answers in columns, and colour each character by
its probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.segment import Segment

from tui_gpt.tui.generate.cards.answer_column import AnswerColumn
from tui_gpt.tui.generate.cards.card_notes import Note, NoteContext, Stage, note_rows
from tui_gpt.tui.generate.job import Burst
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.notebook.search import places
from tui_gpt.tui.text.passage import Look

_RAIL = 2
"""Cells at the left: the card's edge and a gap."""
_GAP = 3
"""Cells between two columns."""
_MIN_COLUMN = 24
_MIN_NOTES = 8


class CardBlock:
    """The rows of one card."""

    def __init__(self, card: Card, *, show_probabilities: bool = False) -> None:
        self.card = card
        self.selected = False
        self.stage: Stage = ""
        """The stage of the answers being generated."""
        self.active: Mapping[str, float] = {}
        """The ids of those answers, with the seconds that each has taken."""
        self.waiting = ""
        """Seconds waited before the first character, in words."""
        self.side_by_side = False
        self.columns: list[AnswerColumn] = []
        """The columns of the visible answers."""
        self.words = ""
        """The words that are searched for, highlighted in the text."""
        self.found: tuple[str, int] | None = None
        """The answer and the place in its text where they were found, if it is this one of many."""
        self._show_probabilities = show_probabilities
        self._all_columns: dict[str, AnswerColumn] = {}
        """Visible and other columns by answer id: while text is being generated, it is nowhere else."""
        self._width = 0
        self._notes: list[list[Note]] = []
        self.show(card)

    def show(self, card: Card) -> int:
        """Draw this card from now on; return the first row that may have changed."""
        before, self.card = self.columns, card
        self._all_columns = {
            answer.id: self._column(answer) for answer in card.answers if answer.id in self._all_columns
        }
        self.columns = [self._column(answer) for answer in self._visible_answers()]
        self._highlight()
        return self.last_text_row if before == self.columns else 0

    def _column(self, answer: Answer) -> AnswerColumn:
        """Return the column of an answer; one being generated is ahead of the notebook and stays as it is."""
        column = self._all_columns.get(answer.id)
        if column is not None and answer.id in self.active:
            return column
        if column is None or not column.shows(answer):
            column = AnswerColumn(answer, show_probabilities=self._show_probabilities)
            self._all_columns[answer.id] = column
        column.answer = answer
        return column

    def _visible_answers(self) -> Sequence[Answer]:
        answers = self.card.answers
        if not self.side_by_side or len(answers) < 2:
            return (self.card.answer,)
        places = max(1, (self._width - _RAIL) // (_MIN_COLUMN + _GAP))
        first = max(0, min(self.card.shown, len(answers) - places))
        return answers[first : first + places]

    @property
    def main(self) -> AnswerColumn:
        """The column of the shown answer."""
        return next(column for column in self.columns if column.answer.id == self.card.answer.id)

    # Generation

    def set_stage(self, stage: Stage, answer_ids: Sequence[str] = ()) -> None:
        """Enter a stage of the generation of these answers; "" and none of them at its end."""
        self.stage, self.waiting = stage, ""
        self.active = dict.fromkeys(answer_ids, 0.0)

    def grow(self, bursts: Mapping[str, Burst], seconds: float) -> int | None:
        """Append what was generated, by answer id; return the first row that changed, None for nothing."""
        rows = [self._grow(self._column_of(name), burst) for name, burst in bursts.items() if burst.text]
        if rows:
            self.active = dict.fromkeys(self.active, seconds)
        return min(rows, default=None)

    def _grow(self, column: AnswerColumn, burst: Burst) -> int:
        column.answer = replace(column.answer, changes=(*column.answer.changes, *burst.changes))
        row = column.grow(burst.text, burst.logprobs)
        return row if column in self.columns else self.last_text_row

    def _column_of(self, answer_id: str) -> AnswerColumn:
        return self._column(next(answer for answer in self.card.answers if answer.id == answer_id))

    # Appearance

    def set_probabilities(self, shown: bool) -> None:
        """Colour the characters by their probabilities, or not."""
        self._show_probabilities = shown
        for column in self._all_columns.values():
            column.set_probabilities(shown)

    def set_side_by_side(self, side_by_side: bool) -> None:
        """Show several answers in columns, or one."""
        self.side_by_side = side_by_side
        self.show(self.card)

    def search(self, words: str, found: tuple[str, int] | None = None) -> None:
        """Highlight words, and most of all those at a place of an answer."""
        if (words, found) != (self.words, self.found):
            self.words, self.found = words, found
            self._highlight()

    def _highlight(self) -> None:
        for column in self.columns:
            if self.words or column.passage.tinted:
                starts = places(self.words, column.answer.full)
                here = self.found[1] if self.found and self.found[0] == column.answer.id else None
                column.highlight(starts, len(self.words), here)

    def character_at(self, row: int, column: int) -> int:
        """Return the index of the shown answer's character at a row and column of the card."""
        return self.main.passage.rows.index_at(row, column - _RAIL)

    def arrow_at(self, row: int, column: int) -> int:
        """Return -1 or 1 where an arrow to another answer is drawn, else 0."""
        row -= self._text_rows
        if len(self.columns) > 1 or not 0 <= row < len(self._notes[0]):
            return 0
        symbol = self._notes[0][row][0][column - _RAIL : column - _RAIL + 1] if column >= _RAIL else ""
        return {"‹": -1, "›": 1}.get(symbol, 0)

    # As a block of a TextView

    def height(self, width: int) -> int:
        """Return the number of rows: text, notes, and a blank row between cards."""
        if width != self._width:
            self._width = width
            self.show(self.card)
        column_width = self._column_width
        for column in self.columns:
            column.passage.height(column_width)
        self._notes = [
            list(note_rows(column.answer, self._note_context(column), max(_MIN_NOTES, column_width)))
            for column in self.columns
        ]
        return self._text_rows + max(map(len, self._notes)) + 1

    def _note_context(self, column: AnswerColumn) -> NoteContext:
        is_active = column.answer.id in self.active
        return NoteContext(
            card=self.card,
            characters=len(column.passage),
            is_alone=len(self.columns) == 1,
            stage=self.stage if is_active else "",
            seconds=self.active.get(column.answer.id, 0.0),
            waiting=self.waiting,
            show_probabilities=self._show_probabilities,
            words=self.words,
        )

    @property
    def last_text_row(self) -> int:
        """The first row in which an answer may end; above it there is only text."""
        return max(0, min(len(column.passage.rows) for column in self.columns) - 1)

    @property
    def _text_rows(self) -> int:
        return max(len(column.passage.rows) for column in self.columns)

    @property
    def _column_width(self) -> int:
        count = len(self.columns)
        return max(2, (self._width - _RAIL - 1 - _GAP * (count - 1)) // count)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of one row, beginning with the card's edge."""
        text_rows = self._text_rows
        if row >= text_rows + max(map(len, self._notes)):
            return [Segment(" " * width, look("written"))]
        drawn = [Segment("▌ ", look("edge-selected" if self.selected else "edge"))]
        for number, column in enumerate(self.columns):
            cell = self._text_cell(column, row, look) if row < text_rows else self._note_cell(number, row, look)
            drawn += cell
            if number + 1 < len(self.columns):
                free = self._column_width + _GAP - 2 - sum(segment.cell_length for segment in cell)
                drawn += [Segment(" " * max(0, free), look("written")), Segment("│ ", look("edge"))]
        return drawn

    def _text_cell(self, column: AnswerColumn, row: int, look: Look) -> list[Segment]:
        last = len(column.passage.rows) - 1
        if row > last:
            return []
        drawn = column.passage.draw(row, look)
        if row == last and self.stage == "generating" and column.answer.id in self.active:
            drawn.append(Segment("▍", look("pen")))
        return drawn

    def _note_cell(self, number: int, row: int, look: Look) -> list[Segment]:
        notes = self._notes[number]
        row -= self._text_rows
        return [Segment(notes[row][0], look(notes[row][1]))] if row < len(notes) else []
