"""Count the n-grams of a text: number them, relate each to its extensions and its suffix, and count them.

Positions are read as a ring: the text's beginning follows its end, so every position starts an n-gram of each order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Contexts = list[Ints]
"""contexts[k]: the k-gram that ends at each position, -1 where the text or the window has none; [0] is all 0."""

NODE_LIMIT = 7_000_000
"""Distinct n-grams of all orders together, of at most 125 bytes each. Beyond it longer n-grams are left out: where that
many are distinct, few of them recur."""


@dataclass(frozen=True)
class Trie:
    """The n-grams of a text. The k-grams are numbered in sorted order, so the extensions of one are consecutive.

    Lists are indexed by k, the length in tokens; entry 0 is unused. U_k is the number of distinct k-grams.
    """

    vocab_size: int
    ids: list[Ints]
    """ids[k] (N,): the k-gram that starts at each position."""
    symbols: list[Ints]
    """symbols[k] (U_k,): the last token of each k-gram."""
    suffixes: list[Ints]
    """suffixes[k] (U_k,): each k-gram without its first token, as a (k-1)-gram."""
    keys: list[Ints]
    """keys[k] (U_k,), sorted: (k-1)-gram * vocab_size + last token."""
    firsts: list[Ints]
    """firsts[k] (U_k + 1,): where the extensions of each k-gram begin among the (k+1)-grams."""

    @property
    def order(self) -> int:
        """The length of the longest n-grams, in tokens."""
        return len(self.ids) - 1

    def extend(self, k: int, grams: Ints, tokens: Ints) -> Ints:
        """Return the (k+1)-grams that extend k-grams by a token each; -1 where the text lacks it or `grams` is -1."""
        wanted = grams * np.int64(self.vocab_size) + tokens
        keys = self.keys[k + 1]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: Ints = np.where((keys[at] == wanted) & (grams >= 0), at, -1)
        return found

    def contexts(self, windows: Ints) -> Contexts:
        """Return contexts[k] (B, T) for windows (B, T) and k < order: the last k tokens at each position."""
        contexts: Contexts = [np.zeros(windows.shape, np.int64)]
        for k in range(1, self.order):
            first = min(k - 1, 1)
            ids = np.full(windows.shape, -1, np.int64)
            shorter = contexts[k - 1][:, : windows.shape[1] - first]
            ids[:, first:] = self.extend(k - 1, shorter, windows[:, first:])
            contexts.append(ids)
        return contexts


def build_trie(tokens: Ints, vocab_size: int, order: int) -> Trie:
    """Number the n-grams of `tokens` (N,) of every order up to `order`, or up to the one that exceeds NODE_LIMIT.

    The positions are sorted once by their n-grams of the highest order; each lower order is one pass over them.
    """
    size = len(tokens)
    ring = np.resize(tokens.astype(np.min_scalar_type(vocab_size - 1)), size + order)
    positions = _sort_positions(ring, order, vocab_size)
    empty = np.zeros(0, np.int32)
    trie = Trie(vocab_size, [empty], [empty], [empty], [empty], [empty])
    is_new = np.zeros(size, bool)  # whether the k-gram at each sorted position differs from the one before
    is_new[0] = True
    starts, groups = np.zeros(1, np.int64), np.zeros(size, np.int32)
    for k in range(1, order + 1):
        last = ring[positions + (k - 1)]
        is_new[1:] |= last[1:] != last[:-1]
        shorter_starts, shorter_groups = starts, groups
        starts = np.flatnonzero(is_new)
        if k > 2 and sum(map(len, trie.symbols)) + len(starts) > NODE_LIMIT:
            break
        groups = np.cumsum(is_new, dtype=np.int32) - np.int32(1)
        ids = np.empty(size, np.int32)
        ids[positions] = groups
        second = (positions[starts] + 1) % size
        trie.suffixes.append(trie.ids[k - 1][second] if k > 1 else np.zeros(len(starts), np.int32))
        trie.ids.append(ids)
        trie.symbols.append(last[starts].astype(np.int32))
        trie.keys.append(shorter_groups[starts] * np.int64(vocab_size) + last[starts])
        if k > 1:
            trie.firsts.append(np.append(np.searchsorted(starts, shorter_starts), len(starts)))
    return trie


def _sort_positions(ring: Ints, order: int, vocab_size: int) -> Ints:
    """Return the positions (N,) sorted by the `order` tokens from each; `ring` is the text and `order` tokens more."""
    size = len(ring) - order
    key = np.zeros(size, np.int64)
    span = 1
    for k in range(order):
        if span > 2**62 // vocab_size:  # the next token would overflow the key: replace keys by their ranks
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
            span = int(key.max()) + 1
        key = key * vocab_size + ring[k : k + size]
        span *= vocab_size
    if span > 2**63 // size:
        return np.argsort(key)
    key = key * size + np.arange(size)  # numbers are sorted three times as fast as their positions
    key.sort()
    return key % size


def kneser_ney_counts(trie: Trie, held_out: range) -> list[Ints]:
    """Return counts[k] (U_k,) of the k-grams whose last token is not in `held_out`, a range of positions; [0] is empty.

    N-grams of the highest order are counted by their occurrences, shorter ones by the distinct tokens before them
    (continuation counts, Kneser and Ney 1995).
    """
    order, size = trie.order, len(trie.ids[1])
    occurrences = np.bincount(trie.ids[order], minlength=len(trie.symbols[order]))
    starts = (np.arange(held_out.start, held_out.stop) - (order - 1)) % size
    counts = [occurrences - np.bincount(trie.ids[order][starts], minlength=len(occurrences))]
    for k in range(order, 1, -1):
        seen = trie.suffixes[k][counts[0] > 0]
        counts.insert(0, np.bincount(seen, minlength=len(trie.symbols[k - 1])))
    return [np.zeros(0, np.int64), *counts]
