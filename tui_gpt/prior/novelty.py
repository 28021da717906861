"""How much of a text is copied from another one: which of its tokens lie in a piece that stands there token for token.

Every piece of the known text is kept as a 64-bit hash, eight bytes per token, so that a million tokens are looked up in
milliseconds. Two different pieces have the same hash once in about 10^19 comparisons, which is why hits are not checked
against the text.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.metrics import COPIED_LENGTH

Tokens = npt.NDArray[np.integer[Any]]
"""(N,): a text in any integers from -1 on; -1 stands for a character that the other text cannot hold."""
Hashes = npt.NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
"""An odd number whose powers are spread over all 64 bits."""


class CopiedPieces:
    """Finds what was copied from some texts, in pieces of at least `length` tokens."""

    def __init__(self, texts: Iterable[Tokens], length: int = COPIED_LENGTH) -> None:
        self.length = length
        self._known: Hashes = np.concatenate([_hashes(text, length) for text in texts])
        self._known.sort()

    def starts(self, tokens: Tokens) -> npt.NDArray[np.bool_]:
        """Return (max(0, N - length + 1),): whether the piece that starts at each token stands in the texts."""
        hashes = _hashes(tokens, self.length)
        if not len(self._known):
            return np.zeros(len(hashes), bool)
        found = np.minimum(np.searchsorted(self._known, hashes), len(self._known) - 1)
        return np.equal(self._known[found], hashes)

    def share(self, tokens: Tokens) -> float | None:
        """Return the share of `tokens` that lie in a piece from the texts; None where they are too few for a piece."""
        if len(tokens) < self.length:
            return None
        edges = np.zeros(len(tokens) + 1, np.int64)
        starts = np.flatnonzero(self.starts(tokens))
        edges[starts] += 1
        edges[starts + self.length] -= 1
        return float((edges.cumsum()[:-1] > 0).mean())


def _hashes(tokens: Tokens, length: int) -> Hashes:
    """Return (max(0, N - length + 1),): the value of each piece as a polynomial at `_BASE`, modulo 2^64."""
    digits = (tokens.astype(np.int64) + 2).astype(np.uint64)
    hashes = np.zeros(max(0, len(tokens) - length + 1), np.uint64)
    for k in range(length):
        hashes *= _BASE
        hashes += digits[k : k + len(hashes)]
    return hashes
