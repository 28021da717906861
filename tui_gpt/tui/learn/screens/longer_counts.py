"""Screen 4: longer pieces predict better, until they have never been seen before."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from textual.content import Content

from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.learn.drawing import Part, bar_of, joined, lines_of, visible
from tui_gpt.tui.learn.material import LONGEST_PIECE, Pieces
from tui_gpt.tui.learn.page import Direction, LessonPage
from tui_gpt.tui.learn.writing import write_like

_WRITTEN = 900
_SHORTEST = 1
_FOLLOWERS = 5


@dataclass(frozen=True)
class LongerCounts:
    """Figures of all lengths, and a text written with the chosen one."""

    pieces: tuple[Pieces, ...]
    """By length, from 1."""
    losses: Mapping[int, float]
    """By length, of those that have been computed: nats per character on the new part of the text."""
    written: str
    known: str
    """The longest end of the reader's text that the counted part has."""
    followers: Counter[str]
    """What follows it there."""


class LongerCountsPage(LessonPage[LongerCounts]):
    """How much of new text was seen before, by length, and what the pieces write."""

    TITLE = "Longer counts, and why they run out"
    USES = frozenset({"change", "again", "type"})
    PLACEHOLDER = "the beginning of a sentence"
    SOURCE = "Y. Bengio and others, A Neural Probabilistic Language Model, 2003"

    _length = 4
    _seed = 1

    def compute(self) -> LongerCounts:
        """Count pieces of all lengths, and write with those of the chosen one."""
        material = self.material
        known = material.longest_known_end(self.typed)
        if self.data is not None and self._missing:
            material.loss(self._missing)
        return LongerCounts(
            pieces=tuple(material.pieces),
            losses={length: material.loss(length) for length in (1, 2)} | dict(material.known_losses),
            written=write_like(material.counted, self._length, _WRITTEN, self._seed),
            known=known,
            followers=material.followers(known) if known else Counter(),
        )

    @property
    def _missing(self) -> int:
        """The shortest length whose loss has not been computed yet; 0 if there is none."""
        lengths = range(1, self.material.longest_counted + 1)
        return next((length for length in lengths if length not in self.material.known_losses), 0)

    def show(self) -> None:
        """Show what is known, then compute the next loss."""
        super().show()
        if self._missing:
            self.recompute()

    def change(self, by: Direction) -> None:
        """Take longer or shorter pieces."""
        self._length = min(max(_SHORTEST, self._length + by), LONGEST_PIECE)
        self.recompute()

    def again(self) -> None:
        """Write another text."""
        self._seed += 1
        self.recompute()

    def words(self, data: LongerCounts) -> Content:
        """Explain why longer is better, and why it ends."""
        best = min(data.losses, key=lambda length: data.losses[length])
        size, longest = self.material.vocab_size, data.pieces[-1]
        return Content.assemble(
            f"Why only pairs? Counts of longer pieces predict better: with up to {best} characters the loss is ",
            (f"{data.losses[best]:.2f}", "bold"),
            f", with pairs it was {data.losses[2]:.2f}. But there are {size}^{len(data.pieces)} = "
            f"{_power(size, len(data.pieces))} pieces of {len(data.pieces)} characters. The text has only "
            f"{_round(longest.different)} of them, and ",
            (f"{percent(1 - longest.seen)} of those in new text were never seen", "bold"),
            ". A table has nothing to say about a piece that it has not seen.",
        )

    def draw(self, data: LongerCounts, width: int, height: int) -> Content:
        """Draw the bars, and below them the reader's text or the written one."""
        bars = [self._line(length, data, width) for length in range(_SHORTEST, len(data.pieces) + 1)]
        is_low = height < 16
        heading: list[Part] = [("pieces of    of new text, seen before", "dim")]
        below = self._below(data, width, max(2, height - len(bars) - 2 + is_low))
        return joined([heading, *bars, *([] if is_low else [[""]]), *below])

    def _line(self, length: int, data: LongerCounts, width: int) -> list[Part]:
        pieces = data.pieces[length - _SHORTEST]
        is_chosen = length == self._length
        name = f"{length:2} character" + ("s" if length > 1 else " ")
        loss = f"  loss {data.losses[length]:.2f}" if length in data.losses and width >= 60 else ""
        return [
            (f"{name}", "reverse" if is_chosen else ""),
            (f" {percent(pieces.seen):>6} ", "bold"),
            (bar_of(pieces.seen, max(4, min(40, width - 40))), "$text-accent" if is_chosen else "$primary"),
            (f"{loss:<11}", "dim"),
        ]

    def _below(self, data: LongerCounts, width: int, rows: int) -> list[list[Part]]:
        if self.typed:
            return self._known(data)
        heading: list[Part] = [(f"Written with pieces of {self._length}", "bold")]
        written: list[list[Part]] = [[(line, "$text-muted")] for line in lines_of(data.written, width, rows - 1)]
        return [heading, *written]

    def _known(self, data: LongerCounts) -> list[list[Part]]:
        """Return what the counts know about the reader's text."""
        if not data.known:
            return [["No end of your text occurs in the counted text."]]
        total = sum(data.followers.values())
        shares = ", ".join(f"{spelled(c)} {n:,}×" for c, n in data.followers.most_common(_FOLLOWERS))
        unknown = self.typed[: len(self.typed) - len(data.known)]
        return [
            ["Seen before: ", (visible(unknown), "dim"), (visible(data.known), "bold reverse")],
            [f"{len(data.known)} characters, {total:,}× in the counted text; then came {shares}"],
        ]

    def hint(self) -> str:
        """Return what to try."""
        if self.typed:
            return "{learn.type}: make your sentence longer, until only a short end of it is known."
        return (
            "{learn.less} {learn.more}: from which length on are there real words? {learn.again}: write again. "
            "{learn.type}: a sentence of your own."
        )


def _power(base: int, exponent: int) -> str:
    """Return a large power in words."""
    number = float(base) ** exponent
    digits = int(math.log10(number)) if number >= 1 else 0
    return f"{number / 10**digits:.1f}·10^{digits}"


def _round(number: int) -> str:
    """Return a number with two significant digits."""
    return f"{round(number, 2 - len(str(number))):,}"
