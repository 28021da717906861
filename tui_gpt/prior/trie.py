"""Count the n-grams of a text: number them, relate each to its extensions and its suffix, and count them.

Positions are read as a ring: the text's beginning follows its end, so every position starts an n-gram of each order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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

    Lists are indexed by k, the length in tokens; entry 0 is unused except in `firsts`. U_k k-grams are distinct.
    """

    vocab_size: int
    longest: Ints
    """(N,): the n-gram of the highest order that starts at each position."""
    symbols: list[Ints]
    """symbols[k] (U_k,): the last token of each k-gram."""
    suffixes: list[Ints]
    """suffixes[k] (U_k,): each k-gram without its first token, as a (k-1)-gram."""
    keys: list[Ints]
    """keys[k] (U_k,), sorted: (k-1)-gram * vocab_size + last token."""
    firsts: list[Ints]
    """firsts[k] (U_k + 1,): where the extensions of each k-gram begin among the (k+1)-grams; U_0 is 1."""

    @property
    def order(self) -> int:
        """The length of the longest n-grams, in tokens."""
        return len(self.symbols) - 1

    @cached_property
    def ids(self) -> list[Ints]:
        """ids[k] (N,): the k-gram that starts at each position."""
        ids = [self.longest]
        for k in range(self.order, 1, -1):
            parents = (self.keys[k] // self.vocab_size).astype(np.int32)
            ids.insert(0, parents[ids[0]])
        return [np.zeros(0, np.int32), *ids]

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

    The positions are sorted once by their n-grams of the highest order. Each lower order is then found among the
    n-grams of the next higher one: a k-gram begins where two neighbours share fewer than k tokens.
    """
    size = len(tokens)
    ring = np.resize(tokens.astype(np.min_scalar_type(vocab_size - 1)), size + order)
    positions = _sort_positions(ring, order, vocab_size)
    shared = _shared_lengths(ring, positions, order)
    order = _order_within_limit(shared, order)
    is_new = shared < order
    longest = np.empty(size, np.int32)
    longest[positions] = np.cumsum(is_new, dtype=np.int32) - np.int32(1)
    trie = Trie(vocab_size, longest, *([np.zeros(0, np.int32)] * (order + 1) for _ in range(4)))
    places, shared = positions[is_new], shared[is_new]  # of the first occurrence of each k-gram
    following = longest[(places + 1) % size]  # a k-gram that begins with all but the first token of each k-gram
    for k in range(order, 0, -1):
        begins = np.append(np.flatnonzero(shared < k - 1), len(shared))
        parents = np.repeat(np.arange(len(begins) - 1, dtype=np.int32), np.diff(begins))
        trie.firsts[k - 1] = begins
        trie.suffixes[k] = parents[following]
        trie.symbols[k] = ring[k - 1 :][places].astype(np.int32)
        trie.keys[k] = parents * np.int64(vocab_size) + trie.symbols[k]
        places, shared, following = places[begins[:-1]], shared[begins[:-1]], trie.suffixes[k][begins[:-1]]
    return trie


def _shared_lengths(ring: Ints, positions: Ints, order: int) -> npt.NDArray[np.int8]:
    """Return (N,): how many tokens the n-gram at each sorted position shares with the one before; -1 for the first."""
    lengths = np.zeros(len(positions), np.int8)
    is_equal = np.ones(len(positions) - 1, bool)
    for k in range(order):
        tokens = ring[k:][positions]
        is_equal &= tokens[1:] == tokens[:-1]
        lengths[1:] += is_equal
    lengths[0] = -1
    return lengths


def _order_within_limit(shared: npt.NDArray[np.int8], order: int) -> int:
    """Return the largest order, at least 2 if `order` is, whose n-grams and all shorter ones are within NODE_LIMIT."""
    totals = np.cumsum([np.count_nonzero(shared < k) for k in range(1, order + 1)])
    return max(int(np.searchsorted(totals, NODE_LIMIT, side="right")), min(order, 2))


def _sort_positions(ring: Ints, order: int, vocab_size: int) -> Ints:
    """Return the positions (N,) sorted by the `order` tokens from each; `ring` is the text and `order` tokens more."""
    size = len(ring) - order
    key = np.zeros(size, np.int64)
    span = 1
    for k in range(order):
        if span > 2**62 // vocab_size:  # the next token would overflow the key: replace keys by their ranks
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
            span = int(key.max()) + 1
        key *= vocab_size
        key += ring[k : k + size]
        span *= vocab_size
    bits = size.bit_length()
    if span > 2**63 >> bits:
        return np.argsort(key)
    key <<= bits  # numbers are sorted three times as fast as their positions
    key |= np.arange(size)
    key.sort()
    return key & ((1 << bits) - 1)


def kneser_ney_counts(trie: Trie, held_out: range) -> list[Ints]:
    """Return counts[k] (U_k,) of the k-grams whose last token is not in `held_out`, a range of positions; [0] is empty.

    N-grams of the highest order are counted by their occurrences, shorter ones by the distinct tokens before them
    (continuation counts, Kneser and Ney 1995).
    """
    order, size = trie.order, len(trie.longest)
    occurrences = np.bincount(trie.longest, minlength=len(trie.symbols[order]))
    starts = (np.arange(held_out.start, held_out.stop) - (order - 1)) % size
    counts = [occurrences - np.bincount(trie.longest[starts], minlength=len(occurrences))]
    for k in range(order, 1, -1):
        seen = trie.suffixes[k][counts[0] > 0]
        counts.insert(0, np.bincount(seen, minlength=len(trie.symbols[k - 1])))
    return [np.zeros(0, np.int64), *counts]
