"""The probabilities of interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), as arrays over the n-grams.

With h' for the context h without its first token, D(c) for the discount of a count c, and c(h) for the sum of the
counts of the extensions of h:

    p(w | h) = (c(hw) - D(c(hw))) / c(h) + backoff(h) p(w | h'),   backoff(h) = sum over w of D(c(hw)) / c(h)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.prior.trie import Contexts, Ints, Trie, kneser_ney_counts

Floats = npt.NDArray[np.float32]

DENSE_LIMIT = 1_000_000
"""Probabilities in the dense rows of a table."""


@dataclass(frozen=True)
class Table:
    """The probabilities of the n-grams of a `Trie`; lists are indexed by the length in tokens."""

    unigram: Floats
    """(V,): probabilities without any context."""
    discounted_probs: list[Floats]
    """discounted_probs[k] (U_k,), from k = 2: the first term of p(w | h) for the k-gram hw."""
    backoffs: list[Floats]
    """backoffs[k] (U_k,), from k = 1: the weight of the shorter context for contexts of k tokens."""
    dense: Floats
    """(U_d, V): p(. | h) for the contexts of d = `dense_length` tokens; empty if d is 0."""
    dense_length: int


def build_table(trie: Trie, held_out: range, discounts: Floats, dense_limit: int = DENSE_LIMIT) -> Table:
    """Return the probabilities of the text outside `held_out`, with the discounts (order + 1, 4) of `fit_discounts`."""
    counts = kneser_ney_counts(trie, held_out)
    empty = np.zeros(0, np.float32)
    discounted_probs, backoffs = [empty, empty], [empty]
    for k in range(2, trie.order + 1):
        firsts = trie.firsts[k - 1]
        discount = discounts[k][np.minimum(counts[k], 3)]
        totals = np.add.reduceat(counts[k], firsts[:-1]).astype(np.float32)
        scale = 1.0 / np.maximum(totals, np.float32(1.0))
        remaining = counts[k].astype(np.float32) - discount
        discounted_probs.append(remaining * np.repeat(scale, np.diff(firsts)))
        backoffs.append(np.where(totals > 0, np.add.reduceat(discount, firsts[:-1]) * scale, np.float32(1.0)))
    table = Table(unigram_probs(trie, counts[1]), discounted_probs, backoffs, empty, 0)
    return _with_dense_rows(trie, table, dense_limit)


def unigram_probs(trie: Trie, counts: npt.NDArray[Any]) -> Floats:
    """Return (V,): counts (U_1,) discounted by 1/2 and interpolated with the uniform distribution, so none is 0."""
    full = np.zeros(trie.vocab_size)
    full[trie.symbols[1]] = counts
    discounted = np.maximum(full - 0.5, 0.0) / max(float(full.sum()), 1.0)
    smooth: Floats = (discounted + (1.0 - discounted.sum()) / trie.vocab_size).astype(np.float32)
    return smooth


def _with_dense_rows(trie: Trie, table: Table, limit: int) -> Table:
    """Precompute the rows of all contexts of the largest length whose rows have at most `limit` entries."""
    for k in range(1, trie.order):
        size = len(trie.symbols[k])
        if size * trie.vocab_size > limit:
            break
        rows = table.dense[trie.suffixes[k]] if k > 1 else np.tile(table.unigram, (size, 1))
        _interpolate(trie, table, k, np.arange(size), rows)
        table = replace(table, dense=rows, dense_length=k)
    return table


def _interpolate(trie: Trie, table: Table, k: int, contexts: Ints, rows: Floats) -> None:
    """Replace p(. | h') in `rows` (M, V) by p(. | h), for `contexts` h (M,) of k tokens; -1 leaves a row as it is."""
    where = np.flatnonzero(contexts >= 0)
    known = contexts[where]
    weights = np.ones(len(rows), np.float32)
    weights[where] = table.backoffs[k][known]
    rows *= weights[:, None]
    first = trie.firsts[k][known]
    n_continuations = trie.firsts[k][known + 1] - first
    offsets = first - (np.cumsum(n_continuations) - n_continuations)
    grams = np.arange(int(n_continuations.sum())) + np.repeat(offsets, n_continuations)
    flat = np.repeat(where * trie.vocab_size, n_continuations) + trie.symbols[k + 1][grams]
    rows.reshape(-1)[flat] += table.discounted_probs[k + 1][grams]


def log_prob_rows(trie: Trie, table: Table, contexts: Contexts) -> Floats:
    """Return (M, V): the log-probabilities of the next token after the contexts of M positions."""
    rows = np.tile(table.unigram, (len(contexts[0]), 1))
    d = table.dense_length
    if d:
        known = contexts[d] >= 0
        rows[known] = table.dense[contexts[d][known]]
    for k in range(1, trie.order):
        remaining = contexts[k] if k > d else np.where(contexts[d] < 0, contexts[k], -1)
        if (remaining >= 0).any():
            _interpolate(trie, table, k, remaining, rows)
    return np.log(rows, out=rows)
