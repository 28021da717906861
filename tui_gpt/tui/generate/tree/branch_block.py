"""The whole text of a branch: what it shares with others muted, its own words bright, its note below."""

from collections.abc import Sequence

from rich.segment import Segment

from tui_gpt.tui.generate.cards.card_notes import NOTE_SYMBOL
from tui_gpt.tui.generate.notebook import provenance
from tui_gpt.tui.generate.tree.tree_rows import TreeRow
from tui_gpt.tui.text.passage import Look, Passage


class BranchBlock:
    """A block of a `TextView`."""

    def __init__(self, row: TreeRow) -> None:
        self._text, self._notes = Passage(), Passage()
        answer = row.branch.answer if row.branch else row.card.answer
        start = row.branch.start if row.branch else 0
        full = answer.full
        self._text.append(full[:start], "shared")
        prompt_end = max(start, len(answer.prompt))
        self._text.append(full[start:prompt_end], "prompt")
        self._text.append(full[prompt_end:], "written")
        if note := row.card.notes.get(answer.id):
            self._notes.append(f"{NOTE_SYMBOL} {note}\n", "note")
        self._notes.append(provenance(answer), "meta")
        self.first_own = start
        """The index of the first character that is not shared."""

    def row_of_branch(self) -> int:
        """Return the row in which the branch begins."""
        return self._text.rows.row_of(self.first_own)

    def height(self, width: int) -> int:
        """Return the number of rows: text, a blank one, notes."""
        return self._text.height(width) + 1 + self._notes.height(width)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of a row."""
        del width
        rows = len(self._text.rows)
        if row < rows:
            return self._text.draw(row, look)
        return self._notes.draw(row - rows - 1, look) if row > rows else [Segment("", look("written"))]
