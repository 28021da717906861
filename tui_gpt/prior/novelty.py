"""Measure how much of a text is copied from another: the fraction of its tokens in long passages of the other one.

Every passage of a fixed length in the source is stored as a 64-bit hash, eight bytes per token, so a million tokens are
looked up in milliseconds. Hits are not compared with the source: two different passages have the same hash once in
about 10^19 comparisons.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.metrics import COPIED_LENGTH

Tokens = npt.NDArray[np.integer[Any]]
"""(N,): a text in any integers from -1 on; -1 is a character that the source's alphabet lacks."""
Hashes = npt.NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
"""An odd number whose powers are spread over all 64 bits."""


class CopyIndex:
    """The passages of `length` tokens of some texts."""

    def __init__(self, texts: Iterable[Tokens], length: int = COPIED_LENGTH) -> None:
        self.length = length
        self._hashes: Hashes = np.concatenate([_hash_passages(text, length) for text in texts])
        self._hashes.sort()

    def copied_passages(self, tokens: Tokens) -> npt.NDArray[np.bool_]:
        """Return (max(0, N - length + 1),): whether the passage that starts at each token is in the index."""
        hashes = _hash_passages(tokens, self.length)
        if not len(self._hashes):
            return np.zeros(len(hashes), bool)
        found = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.equal(self._hashes[found], hashes)

    def copied_fraction(self, tokens: Tokens) -> float | None:
        """Return the fraction of `tokens` that are in a copied passage; None for a text shorter than a passage."""
        if len(tokens) < self.length:
            return None
        edges = np.zeros(len(tokens) + 1, np.int64)
        starts = np.flatnonzero(self.copied_passages(tokens))
        edges[starts] += 1
        edges[starts + self.length] -= 1
        return float((edges.cumsum()[:-1] > 0).mean())


def _hash_passages(tokens: Tokens, length: int) -> Hashes:
    """Return (max(0, N - length + 1),): each passage's value as a polynomial at `_BASE`, modulo 2^64."""
    digits = (tokens.astype(np.int64) + 2).astype(np.uint64)
    hashes = np.zeros(max(0, len(tokens) - length + 1), np.uint64)
    for k in range(length):
        hashes *= _BASE
        hashes += digits[k : k + len(hashes)]
    return hashes
