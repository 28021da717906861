"""Search in the texts and the notes of all cards, as fast as one types.

All texts are joined into one, in lower case, so that a search is a single pass. A beginning that several branches share
is in it once, and the text around each branching point once more, for words that begin before and end after it.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.branches import BranchTree
from tui_gpt.tui.generate.notebook.cards import Card

_BETWEEN = "\x00"
"""Between two texts: it is in no words that can be typed."""
_SEAM = 100
"""Characters on both sides of a branching point."""


@dataclass(frozen=True)
class Found:
    """Where the words were found."""

    card: str
    answer: str
    start: int
    """The place in the answer's text, or in its note."""
    in_note: bool


def lowered(text: str) -> str:
    """Return a text in lower case, of the same length."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(character.lower() if len(character.lower()) == 1 else character for character in text)


def places(words: str, text: str) -> list[int]:
    """Return where words begin in a text, in any case."""
    return [found.start() for found in re.finditer(re.escape(lowered(words)), lowered(text))] if words else []


class _Source(NamedTuple):
    """A piece of the joined text."""

    card: str
    answer: str
    offset: int
    """The place of the piece in the answer's text."""
    in_note: bool = False
    seam: int = 0
    """In a seam, the place in the piece where the branch begins; only words across it count."""


class SearchIndex:
    """The texts of cards, joined."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._sources: list[_Source] = []
        self._starts: list[int] = []
        self._seams: list[int] = []
        """The sources that are seams."""
        self._cards: dict[str, int] = {}
        pieces: list[str] = []
        length = 0
        for card in cards:
            self._cards[card.id] = length
            for source, text in _sources(card):
                if source.seam:
                    self._seams.append(len(self._sources))
                self._sources.append(source)
                self._starts.append(length)
                pieces += (text, _BETWEEN)
                length += len(text) + 1
        self._starts.append(length)
        self._text = lowered("".join(pieces))
        self._found: list[int] = []

    def search(self, words: str) -> Sequence[int]:
        """Return where words were found, in the order of the cards, for `found`."""
        wanted = lowered(words)
        found = [one.start() for one in re.finditer(re.escape(wanted), self._text)] if wanted else []
        self._found = self._without_repetitions(found, len(wanted))
        return self._found

    def _without_repetitions(self, found: list[int], length: int) -> list[int]:
        """Return the places without those of seams that are in the texts beside them as well."""
        kept, done = list[int](), 0
        for number in self._seams:
            start, end = self._starts[number], self._starts[number + 1]
            low, high = bisect_left(found, start, done), bisect_left(found, end, done)
            if low < high:
                at = start + self._sources[number].seam
                kept += found[done:low]
                kept += (place for place in found[low:high] if place < at < place + length)
                done = high
        return kept + found[done:]

    def first_in(self, card_id: str) -> int:
        """Return the index of the first place found in a card or after it; 0 if there is none."""
        place = bisect_right(self._found, self._cards.get(card_id, 0) - 1)
        return place if place < len(self._found) else 0

    def found(self, index: int) -> Found:
        """Return a place that the last search has found."""
        at = self._found[index]
        place = bisect_right(self._starts, at) - 1
        source = self._sources[place]
        return Found(source.card, source.answer, at - self._starts[place] + source.offset, source.in_note)


def _sources(card: Card) -> Iterable[tuple[_Source, str]]:
    """Yield the texts of a card: what each branch adds to its parent, with enough of that to find words across."""
    if len(card.answers) == 1 and not card.continued:
        branches: list[tuple[Answer, int]] = [(card.answer, 0)]
    else:
        branches = [(branch.answer, branch.start) for branch in BranchTree(card).branches]
    for answer, start in branches:
        full = answer.full
        if start:
            first = max(0, start - _SEAM)
            yield _Source(card.id, answer.id, first, seam=start - first), full[first : start + _SEAM]
        yield _Source(card.id, answer.id, start), full[start:]
        if note := card.notes.get(answer.id):
            yield _Source(card.id, answer.id, 0, in_note=True), note
