"""Screen 3: the bigram model, a table of which character follows which."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.learn.drawing import Part, bar_of, choices, joined, lines_of, padded, shade, visible
from tui_gpt.tui.learn.material import Shares
from tui_gpt.tui.learn.page import Direction, LessonPage
from tui_gpt.tui.learn.writing import write_like

_PANEL_CELLS = 25
_WRITTEN = 600


@dataclass(frozen=True)
class Pairs:
    """What the table says."""

    loss: float
    """Nats per character on the new part of the text."""
    different: int
    """Pairs that occur."""
    surest: tuple[str, str, float]
    """A character that is nearly always followed by the same one, that one, and how often."""
    order: tuple[str, ...]
    """The characters, the most frequent first."""
    followers: Shares
    """Of the chosen character."""
    written: str


class PairsPage(LessonPage[Pairs]):
    """The table as a picture, what follows the chosen character, and a text that the table has written."""

    TITLE = "Counting pairs"
    USES = frozenset({"choose", "again"})
    SOURCE = "writing from counts: C. E. Shannon, A Mathematical Theory of Communication, 1948"

    _row = 0
    _seed = 1

    def compute(self) -> Pairs:
        """Count the pairs, and write a text with them."""
        material = self.material
        order = tuple(material.frequencies)
        chosen = order[self._row % len(order)]
        return Pairs(
            loss=material.loss(2),
            different=sum(map(len, material.pairs.values())),
            surest=self._surest(order),
            order=order,
            followers=material.after(chosen),
            written=write_like(material.counted, 2, _WRITTEN, self._seed, chosen),
        )

    def _surest(self, order: tuple[str, ...]) -> tuple[str, str, float]:
        """Return the pair of which the second character is the surest, among letters that occur often."""
        least = len(self.material.counted) / 3_000
        often = [c for c in order if self.material.frequencies[c] >= least and c.isalpha()] or list(order[:10])
        found = [(c, *self.material.after(c)[0]) for c in often if self.material.after(c)]
        return max(found, key=lambda each: each[2])

    def choose(self, by: Direction) -> None:
        """Choose another character."""
        self._row = (self._row + by) % max(1, len(self.material.frequencies))
        self.recompute()

    def again(self) -> None:
        """Write another text."""
        self._seed += 1
        self.recompute()

    def words(self, data: Pairs) -> Content:
        """Explain the table."""
        size = self.material.vocab_size
        first, second, probability = data.surest
        return Content.assemble(
            "The last character helps. Count how often each character follows each other one: a table of "
            f"{size:,} × {size:,} = {size * size:,} pairs, of which {data.different:,} occur. After ",
            (visible(first), "bold"), " comes ", (visible(second), "bold"), f" in {percent(probability)} of cases. "
            "This table is a model, called ", ("bigram", "bold"), ". Its loss on new text is ",
            (f"{data.loss:.2f}", "bold"), f", as for {choices(data.loss)} equal choices. "
            f"Guessing had {self.material.guess_loss:.2f}.",
        )  # fmt: skip

    def draw(self, data: Pairs, width: int, height: int) -> Content:
        """Draw the table with a panel beside it, and the written text below."""
        below = 3 if height < 20 else 8
        rows = max(3, height - below - 2)
        table = self._table(data, max(8, width - _PANEL_CELLS - 4), rows)
        panel = self._panel(data, rows + 1)
        panel += [[""]] * (len(table) - len(panel))
        both: list[list[Part]] = [[*left, "  ", *right] for left, right in zip(table, panel, strict=False)]
        chosen = visible(data.order[self._row % len(data.order)])
        heading: list[Part] = [(f"Written by the table, from {chosen} on", "bold")]
        text = [[(line, "$text-muted")] for line in lines_of(data.written, width, below - 1)]
        return joined([*both, [""], heading, *text])

    def _table(self, data: Pairs, width: int, rows: int) -> list[list[Part]]:
        """Return a line per character, the chosen one among them, under a line with the following characters."""
        cells = max(map(cell_len, map(visible, data.order)))
        columns = data.order[: max(1, width // cells)]
        first = max(0, min(self._row - rows // 2, len(data.order) - rows))
        lines: list[list[Part]] = [[("  " + "".join(padded(visible(one), cells) for one in columns), "dim")]]
        for character in data.order[first : first + rows]:
            shares = dict(self.material.after(character))
            shades = "".join(shade(shares.get(other, 0.0)) * cells for other in columns)
            is_chosen = character == data.order[self._row % len(data.order)]
            lines.append([(padded(visible(character), 2), "reverse" if is_chosen else "dim"), (shades, "$primary")])
        return lines

    def _panel(self, data: Pairs, rows: int) -> list[list[Part]]:
        chosen = data.order[self._row % len(data.order)]
        lines: list[list[Part]] = [[(f"After {spelled(chosen)} comes", "bold")]]
        for follower, probability in data.followers[: rows - 1]:
            name = padded(spelled(follower), 6)
            lines.append([name, (bar_of(probability, 10), "$text-accent"), f" {percent(probability):>6}"])
        return lines

    def hint(self) -> str:
        """Return what to try."""
        return (
            "{learn.above} {learn.below}: what follows another character? Where is a row almost empty, and why? "
            "{learn.again}: let the table write again."
        )
