"""Find where the end of a text occurs in the training text, and what followed it there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tui_gpt.generation.weights import Ints
from tui_gpt.prior.ngram import NgramPrior, Tokens

LONGEST = 64
"""Tokens of a text's end that are compared."""
MAX_SHOWN = 5
SNIPPET = 30
"""Tokens shown before the end of an occurrence, and after it."""


@dataclass(frozen=True)
class Occurrence:
    """A place in the training text."""

    position: int
    """The token that followed, counted from the beginning of the training part."""
    before: str
    after: str


@dataclass(frozen=True)
class Occurrences:
    """The places in the counted training text where the longest end of a text that occurs there does occur."""

    length: int
    """Tokens of that end, at most LONGEST."""
    count: int
    followers: tuple[tuple[int, int], ...]
    """The tokens that followed, each with how often it did, the most frequent first."""
    places: tuple[Occurrence, ...]
    """The first MAX_SHOWN places."""


class TrainingText:
    """The text that an n-gram prior counted: all of the training part, or evenly spread passages of it."""

    def __init__(self, prior: NgramPrior, decode: Callable[[Tokens], str]) -> None:
        width = np.min_scalar_type(prior.vocab_size)
        separator = np.array([prior.vocab_size], width)  # no token: nothing that is found extends over it
        passages = [np.concatenate([passage.astype(width), separator]) for passage in prior.counted]
        self._tokens = np.concatenate(passages)
        pair_type = np.min_scalar_type((prior.vocab_size + 1) ** 2)
        self._pairs = self._tokens[:-1].astype(pair_type) * pair_type.type(prior.vocab_size + 1) + self._tokens[1:]
        """(N - 1,): a number for each token and the one after it: few places have the same."""
        self._starts = np.cumsum([0, *map(len, passages[:-1])])
        self._offsets = np.array(prior.counted_starts) - self._starts
        self._separator = prior.vocab_size
        self._decode = decode

    def find(self, tokens: Ints) -> Occurrences | None:
        """Return the occurrences of the end of `tokens` (n,); None if not even the last token occurs."""
        ends, length = self._ends(tokens[::-1][:LONGEST])
        if not length:
            return None
        followers, counts = np.unique(self._tokens[ends + 1], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return Occurrences(
            length=length,
            count=len(ends),
            followers=tuple(zip(followers[order].tolist(), counts[order].tolist(), strict=True)),
            places=tuple(self._place(int(end) + 1) for end in ends[:MAX_SHOWN]),
        )

    def _ends(self, newest_first: Ints) -> tuple[Ints, int]:
        """Return where the longest end of a text ends, without places that end a passage, and its length."""
        ends, length = self._ends_of_pair(newest_first[:2]), 0
        ends = ends[self._tokens[ends + 1] != self._separator]
        for back, token in enumerate(newest_first):
            longer = ends[self._tokens[ends - back] == token]
            if not len(longer):
                break
            ends, length = longer, back + 1
        return ends, length

    def _ends_of_pair(self, newest_first: Ints) -> Ints:
        """Return where the last two tokens of a text end, or the last one where the two do not occur."""
        if len(newest_first) == 2:
            pair = int(newest_first[1]) * (self._separator + 1) + int(newest_first[0])
            ends = np.flatnonzero(self._pairs == pair) + 1
            if len(ends):
                return ends
        return np.flatnonzero(self._tokens[:-1] == newest_first[0])

    def _place(self, at: int) -> Occurrence:
        """Return the occurrence before the token at `at`."""
        passage = int(np.searchsorted(self._starts, at, side="right")) - 1
        first = int(self._starts[passage])
        last = int([*self._starts, len(self._tokens)][passage + 1]) - 1
        return Occurrence(
            position=at + int(self._offsets[passage]),
            before=self._decode(self._tokens[max(first, at - SNIPPET) : at]),
            after=self._decode(self._tokens[at : min(last, at + SNIPPET)]),
        )
